# HAProxy on every node, stapled from its first handshake on.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}
variable "haproxy" {
  type    = string
  default = "/usr/sbin/haproxy"
}
# How long the first handshake may wait for its staple.
variable "wait" {
  type    = string
  default = "30s"
}

locals {
  # Where all three tasks see them. The same template stands in two tasks: a
  # task's templates are rendered when that task starts, and the first task waits
  # for a staple, for which it needs the certificate.
  www  = "{{ with nomadVar \"nomad/jobs/edge\" }}{{ .www }}{{ end }}"
  shop = "{{ with nomadVar \"nomad/jobs/edge\" }}{{ .shop }}{{ end }}"
}

job "edge" {
  type = "system"

  group "edge" {
    # data_dir survives updates of the job: responses, and who this node is.
    ephemeral_disk {
      sticky = true
    }
    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    consul {} # CONSUL_HTTP_TOKEN in each task, with the rules of policy/edge.hcl

    # 1. Certificates are there; wait for their staples. It fails, and HAProxy is
    #    not started, only if a must-staple certificate has none. Its templates
    #    are rendered once: Nomad would follow them after the task has ended, and
    #    who writes a file first is the only one to be told that it changed.
    task "staple" {
      driver = "raw_exec"
      env {
        NODE_NAME = "${node.unique.name}"
      }
      lifecycle {
        hook = "prestart"
      }
      config {
        command = var.program
        args    = ["sync", "-config-file=${NOMAD_TASK_DIR}/agent.hcl", "-wait=${var.wait}", "-on-timeout=continue"]
      }
      template {
        destination = "local/agent.hcl"
        data        = file("agent.hcl")
        once        = true
      }
      template {
        destination = "../alloc/certs/www.pem"
        data        = local.www
        perms       = "600"
        once        = true
      }
      template {
        destination = "../alloc/certs/shop.pem"
        data        = local.shop
        perms       = "600"
        once        = true
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }

    # 2. HAProxy finds certificates and staples beside each other.
    task "haproxy" {
      driver = "raw_exec"

      kill_signal  = "SIGUSR1" # lets connections end
      kill_timeout = "30s"

      config {
        command = var.haproxy
        args    = ["-W", "-db", "-f", "${NOMAD_TASK_DIR}/haproxy.cfg"]
      }
      template {
        destination   = "local/haproxy.cfg"
        data          = file("haproxy.cfg")
        change_mode   = "signal"
        change_signal = "SIGUSR2" # reload
      }
      template {
        destination   = "../alloc/certs/www.pem"
        data          = local.www
        perms         = "600"
        change_mode   = "signal"
        change_signal = "SIGUSR2"
      }
      template {
        destination   = "../alloc/certs/shop.pem"
        data          = local.shop
        perms         = "600"
        change_mode   = "signal"
        change_signal = "SIGUSR2"
      }
      resources {
        cpu    = 200
        memory = 256
      }
    }

    # 3. The agent keeps it stapled, without a reload.
    task "agent" {
      driver = "raw_exec"

      kill_signal = "SIGTERM"

      env {
        NODE_NAME = "${node.unique.name}"
      }

      config {
        command = var.program
        args    = ["agent", "-config-file=${NOMAD_TASK_DIR}/agent.hcl"]
      }
      template {
        destination   = "local/agent.hcl"
        data          = file("agent.hcl")
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
