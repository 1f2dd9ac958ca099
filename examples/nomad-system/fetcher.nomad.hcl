# Agents that fetch for the whole cluster: one is elected, the others stand by.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}
variable "count" {
  type    = number
  default = 2
}

job "consul-ocsp-fetcher" {
  group "fetcher" {
    count = var.count

    task "agent" {
      driver = "raw_exec" # or exec, podman, docker

      consul {} # CONSUL_HTTP_TOKEN, with the rules of policy/fetcher.hcl

      # SIGTERM lets go of the lock, so that another leads within milliseconds.
      kill_signal = "SIGTERM"

      config {
        command = var.program
        args    = ["agent", "-config-file=${NOMAD_TASK_DIR}/fetcher.hcl"]
      }
      template {
        destination   = "local/fetcher.hcl"
        data          = file("fetcher.hcl")
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }
      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}
