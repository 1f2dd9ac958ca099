# HAProxy, stapled by Nomad's own template block: no agent in this job.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}
variable "haproxy" {
  type    = string
  default = "/usr/sbin/haproxy"
}
# SHA-256 of the certificate, in lower-case hex: its key in Consul.
variable "id" {
  type = string
}

job "edge" {
  type = "system"

  group "edge" {
    task "haproxy" {
      driver = "raw_exec" # or exec, podman, docker

      consul {} # for the template, with the rules of policy/edge.hcl

      kill_signal  = "SIGUSR1" # lets connections end
      kill_timeout = "30s"

      config {
        command = "${NOMAD_TASK_DIR}/start.sh"
        args    = [var.haproxy, "-W", "-db", "-f", "${NOMAD_TASK_DIR}/haproxy.cfg"]
      }
      env {
        CONSUL_OCSP = var.program
      }

      # The response, byte for byte: the dash before }} keeps the line's end out.
      # With key instead of keyOrDefault the task would wait for ever if there was
      # none yet.
      template {
        destination = "local/www.der"
        data        = "{{ keyOrDefault \"consul-ocsp/v1/der/${var.id}\" \"\" -}}\n"
        splay       = "1s"
        change_mode = "script"
        change_script {
          # Nomad replaces no variables here; the task's folder is the working one.
          command       = "/bin/sh"
          args          = ["local/staple.sh"]
          timeout       = "20s"
          fail_on_error = false # the old staple stays, and the task too
        }
      }
      template {
        destination   = "local/certs/www.pem"
        data          = "{{ with nomadVar \"nomad/jobs/edge\" }}{{ .www }}{{ end }}"
        perms         = "600"
        change_mode   = "signal"
        change_signal = "SIGUSR2" # reload
      }
      template {
        destination   = "local/haproxy.cfg"
        data          = file("haproxy.cfg")
        change_mode   = "signal"
        change_signal = "SIGUSR2"
      }
      template {
        destination = "local/start.sh"
        perms       = "755"
        data        = file("start.sh")
      }
      template {
        destination = "local/staple.sh"
        perms       = "755"
        data        = file("staple.sh")
      }
      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
