package haproxy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// maxCertID is the longest CertID that HAProxy keeps, in bytes (OCSP_MAX_CERTID_ASN1_LENGTH).
const maxCertID = 128

// Held is what a process holds for one CertID.
type Held struct {
	// Registered: the process takes a response for this CertID at run time.
	Registered bool
	// Present: it has one. All fields below are only set then.
	Present    bool
	ThisUpdate time.Time
	NextUpdate time.Time
	Revoked    bool
	// DER is the response byte for byte; HAProxy gives it from 2.8 on.
	DER []byte
	// signature is what 2.6 shows of the response's bytes: enough to tell it
	// from every other response of the same signer.
	signature []byte
}

// Held asks what the process holds for a CertID (DER, SHA-1 with NULL
// parameters, as RFC 6960 section 4.1.1 and HAProxy's tree have it).
func (c *Client) Held(ctx context.Context, certID []byte) (Held, error) {
	s, err := c.open(ctx)
	if err != nil {
		return Held{}, err
	}
	defer s.close()
	return s.held(ctx, certID)
}

// Response is the DER of the response that the process holds for a CertID, nil if
// it has none. HAProxy gives it from 2.8 on; before that, the error's Kind is
// KindUnsupported.
func (c *Client) Response(ctx context.Context, certID []byte) ([]byte, error) {
	s, err := c.reopen(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if !s.info.atLeast(2, 8) {
		return nil, c.fail(KindUnsupported, "show ssl ocsp-response", "HAProxy %s shows the responses that it holds, and does not give them: 2.8 or later does", s.info.Version)
	}
	held, err := s.held(ctx, certID)
	return held.DER, err
}

// Registered lists the CertIDs (DER in lower-case hex) for which the process
// takes responses at run time, whether or not it has one.
func (c *Client) Registered(ctx context.Context) ([]string, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	const command = "show ssl ocsp-response"
	answer, err := s.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	keys, err := parseRegistered(answer)
	if err != nil {
		return nil, c.answerError(command, answer)
	}
	return keys, nil
}

func (s *session) held(ctx context.Context, certID []byte) (Held, error) {
	held, err := s.heldAll(ctx, [][]byte{certID})
	if err != nil {
		return Held{}, err
	}
	return held[0].Held, held[0].err
}

// heldOr is what is held for one of many CertIDs, or why that is not known.
type heldOr struct {
	Held
	err error
}

// heldAll asks for many CertIDs; what it returns is in their order.
func (s *session) heldAll(ctx context.Context, certIDs [][]byte) ([]heldOr, error) {
	if err := s.canShow(); err != nil {
		return nil, err
	}
	const command = "show ssl ocsp-response"
	all := make([]heldOr, len(certIDs))
	var asked []int
	var commands []string
	for i, id := range certIDs {
		if len(id) == 0 || len(id) > maxCertID {
			all[i].err = s.c.fail(KindRefused, command, "a CertID of %d bytes: HAProxy takes 1 to %d", len(id), maxCertID)
			continue
		}
		asked, commands = append(asked, i), append(commands, command+" "+hex.EncodeToString(id))
	}
	answers, err := s.askAll(ctx, commands, command)
	if err != nil {
		return nil, err
	}
	var present []int
	for k, i := range asked {
		if all[i].Held, err = parseHeld(answers[k]); err != nil {
			all[i].err = s.c.answerError(command, answers[k])
		} else if all[i].Present {
			present = append(present, i)
		}
	}
	if !s.info.atLeast(2, 8) {
		return all, nil
	}
	return all, s.heldBytes(ctx, certIDs, all, present)
}

// heldBytes asks for the responses themselves, of those that are present.
func (s *session) heldBytes(ctx context.Context, certIDs [][]byte, all []heldOr, present []int) error {
	const command = "show ssl ocsp-response base64"
	commands := make([]string, len(present))
	for k, i := range present {
		commands[k] = command + " " + hex.EncodeToString(certIDs[i])
	}
	answers, err := s.askAll(ctx, commands, command)
	if err != nil {
		return err
	}
	for k, i := range present {
		if all[i].DER, err = base64.StdEncoding.DecodeString(strings.TrimSpace(answers[k])); err != nil {
			all[i] = heldOr{err: s.c.answerError(command, answers[k])}
		}
	}
	return nil
}

// is says whether the process holds exactly this response.
func (h Held) is(cert Certificate) bool {
	if !h.Present {
		return false
	}
	if h.DER != nil {
		return bytes.Equal(h.DER, cert.OCSP)
	}
	return h.ThisUpdate.Equal(cert.ThisUpdate.Truncate(time.Second)) &&
		h.NextUpdate.Equal(cert.NextUpdate.Truncate(time.Second)) &&
		(h.signature == nil || bytes.Contains(cert.OCSP, h.signature))
}

// parseHeld reads "show ssl ocsp-response <id>": OpenSSL's text form of a
// response, a lone empty line for a registered certificate that has none, or
// a sentence for one that is not registered.
func parseHeld(answer string) (Held, error) {
	text := strings.TrimSpace(answer)
	switch {
	case text == "":
		return Held{Registered: true}, nil
	case strings.HasPrefix(text, "Certificate ID does not match any certificate"), // 2.6
		strings.HasPrefix(text, "Certificate ID or path does not match any certificate"), // 3.0
		strings.HasPrefix(text, "'show ssl ocsp-response' expects a valid certid"):
		return Held{}, nil
	}
	// 2.8 and later may put lines about the certificate before it.
	_, text, ok := strings.Cut(text, "OCSP Response Data:")
	if !ok {
		return Held{}, errors.New("not a response's text form")
	}
	// Certificates that the signer enclosed have names and signatures too.
	text, _, _ = strings.Cut(text, "\nCertificate:")
	fields := parseFields(text)
	h := Held{Registered: true, Present: true, Revoked: fields["Cert Status"] == "revoked"}
	var err error
	if h.ThisUpdate, err = parseTime(fields["This Update"]); err != nil {
		return Held{}, err
	}
	// HAProxy takes none without it, so its absence is an error too.
	if h.NextUpdate, err = parseTime(fields["Next Update"]); err != nil {
		return Held{}, err
	}
	h.signature = parseSignature(text)
	return h, nil
}

// parseTime reads OpenSSL's text form of a time, always in UTC.
func parseTime(s string) (time.Time, error) {
	return time.Parse("Jan _2 15:04:05 2006 GMT", s)
}

// parseSignature reads the lines of hex that follow the signature's
// algorithm: with a heading since OpenSSL 3, without one before. nil if there
// are none or too few bytes to prove anything.
func parseSignature(text string) []byte {
	_, text, ok := strings.Cut(text, "Signature Algorithm:")
	if !ok {
		return nil
	}
	_, text, _ = strings.Cut(text, "\n")
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "Signature Value:" {
			continue
		}
		if line == "" || strings.Trim(line, "0123456789abcdefABCDEF:") != "" {
			break
		}
		digits.WriteString(strings.ReplaceAll(line, ":", ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil || len(b) < 32 {
		return nil
	}
	return b
}
