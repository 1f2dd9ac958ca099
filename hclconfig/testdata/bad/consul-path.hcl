consul {
  path = "/consul//ocsp/"
}
