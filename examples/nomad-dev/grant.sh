#!/bin/sh
# Gives a Nomad job the rules in a file, in Consul: a policy, a role that has it, and the rule that binds the role to
# whatever logs in as a task of that job.
#
#   ../nomad-dev/grant.sh JOB FILE
set -eu
consul acl policy create -name="$1" -rules="@$2" > /dev/null
consul acl role create -name="$1" -policy-name="$1" > /dev/null
consul acl binding-rule create -method=nomad-workloads -bind-type=role -bind-name="$1" \
    -selector="\"nomad_service\" not in value and value.nomad_job_id == \"$1\"" > /dev/null
echo "tasks of job $1 have the rules in $2"
