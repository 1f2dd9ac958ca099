# One pass on every node, every five minutes.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}

# The node's folders: certificates, HAProxy's socket, and what survives a pass.
variable "certs" {
  type    = string
  default = "/etc/haproxy/certs"
}
variable "socket" {
  type    = string
  default = "/run/haproxy/admin.sock"
}
variable "data" {
  type    = string
  default = "/var/lib/consul-ocsp"
}

job "consul-ocsp-sync" {
  type = "sysbatch"

  periodic {
    crons            = ["2-59/5 * * * *"] # two minutes after fetch
    prohibit_overlap = true
  }

  group "sync" {
    # A run fails when a certificate has no staple yet, or HAProxy could not be
    # told. The next period is the next try.
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "sync" {
      driver = "raw_exec"
      # user = "consul-ocsp"

      consul {} # CONSUL_HTTP_TOKEN, with the rules of policy/sync.hcl

      config {
        command = var.program
        args    = ["sync", "-config-file=${NOMAD_TASK_DIR}/sync.hcl", "-require-push"]
      }
      env {
        CERTS  = var.certs
        SOCKET = var.socket
        DATA   = var.data
      }
      template {
        destination = "local/sync.hcl"
        data        = file("sync.hcl")
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
