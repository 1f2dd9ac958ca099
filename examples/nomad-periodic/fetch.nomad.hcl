# One pass of fetching every five minutes, somewhere in the cluster.

variable "program" {
  type    = string
  default = "/usr/local/bin/consul-ocsp"
}

job "consul-ocsp-fetch" {
  type = "batch"

  periodic {
    crons            = ["*/5 * * * *"]
    prohibit_overlap = true
  }

  group "fetch" {
    # Nomad can't tell a responder that is down from a job file that is wrong: it
    # restarts after every exit code but 0. So it restarts nothing; fetch.sh
    # knows what is worth another try, and makes it.
    restart {
      attempts = 0
      mode     = "fail"
    }
    # Once, on another node: from there the responder may be in reach. Batch jobs
    # would otherwise be placed again for a day.
    reschedule {
      attempts       = 1
      interval       = "5m"
      delay          = "15s"
      delay_function = "constant"
      unlimited      = false
    }

    task "fetch" {
      driver = "raw_exec" # or exec, podman, docker

      consul {} # CONSUL_HTTP_TOKEN, with the rules of policy/fetch.hcl

      config {
        command = "${NOMAD_TASK_DIR}/fetch.sh"
        args    = [var.program, "fetch", "-config-file=${NOMAD_TASK_DIR}/fetch.hcl", "-timeout=1m"]
      }
      template {
        destination = "local/fetch.sh"
        perms       = "755"
        data        = file("fetch.sh")
      }
      template {
        destination = "local/fetch.hcl"
        data        = file("fetch.hcl")
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
