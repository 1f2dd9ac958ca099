// Package testca is a certificate authority in a folder, with its OCSP
// responder: for quick starts, rehearsals and tests. It is not for production:
// keys lie unencrypted on disk unless a password is given, nothing is synced to
// the disk before success is reported, and whoever reaches the responder gets a
// freshly signed answer.
//
// Init makes the folder, Open reads one (ours, or one that openssl made), Issue
// adds a certificate, Revoke withdraws it, Responder answers OCSP requests over
// HTTP, and Respond signs one answer of any content, lawful or not. A responder
// can be given a Fault: it then goes wrong in one way, so that what happens can be
// rehearsed. Init makes a CA below another one, Delegate an OCSP signer.
//
// The folder:
//
//	ca.pem      the CA's certificate
//	ca.key      its private key (PKCS #8, 0600), encrypted where there is a password
//	index.txt   one line a certificate: openssl's database format
//	index.txt.attr, serial   what openssl's own tools look for beside it
//	ocsp-signer.pem          a delegate that signs answers, and its key (0600)
//	<name>.pem  leaf, issuer and private key of an issued certificate (0600)
//
// openssl serves the same folder:
//
//	openssl ocsp -index DIR/index.txt -CA DIR/ca.pem \
//	    -rsigner DIR/ca.pem -rkey DIR/ca.key -port 8888 -nmin 60
//
// Processes and goroutines may issue, revoke and serve in one folder at the same
// time: every change of the index is made under a lock file and put in place by
// a rename. Lines that others wrote are kept byte for byte. openssl's tools do
// not know the lock: let `openssl ca` and this package write one after the other.
//
// The package shares no code with the ones that read and judge responses, so
// that a test of those does not compare their code with itself.
package testca
