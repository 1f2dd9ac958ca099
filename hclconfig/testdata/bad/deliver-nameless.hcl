job "edge" {
  deliver "exec" {
    command = ["/usr/local/bin/one"]
  }
  deliver "exec" "two" {
    command = ["/usr/local/bin/two"]
  }
}
