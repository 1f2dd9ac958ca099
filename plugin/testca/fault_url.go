package testca

// urlFaults are those of what stands in the certificate. No responder makes
// them: they are listed to say how the certificate is issued.
func urlFaults() []fault {
	one := func(name, does, issue string) fault {
		return fault{Fault: Fault{Name: name, Group: "url", Does: does, Issue: issue}}
	}
	return []fault{
		one("dns", "the responder's name does not resolve", "-responder=http://ocsp.invalid"),
		one("first-dead", "the first of two responders refuses connections, the second answers",
			"-responder=http://127.0.0.1:9 -responder=http://ADDRESS"),
		one("url-ldap", "the certificate names a responder of another protocol", "-responder-text=ldap://ocsp.example.com/"),
		one("url-malformed", "the certificate names something that is no URL", "-responder-text='http://[::1'"),
		one("url-short", "the certificate names a URL of a few letters", "-responder-text=h"),
		one("url-none", "the certificate names no responder", "(without -responder)"),
	}
}
