# The agent that fetches. It has the certificates, without their keys, since
# nobody announces them.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}

job "consul-ocsp-fetcher" {
  group "fetcher" {
    task "agent" {
      driver = "raw_exec" # or exec, podman, docker

      consul {} # CONSUL_HTTP_TOKEN, with the rules of policy/fetcher.hcl

      # SIGTERM lets go of the lock.
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
      # The agent sees by itself when this file changes.
      template {
        destination = "local/certs/www.pem"
        data        = "{{ with nomadVar \"nomad/jobs/consul-ocsp-fetcher\" }}{{ .www }}{{ end }}"
        change_mode = "noop"
      }
      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}
