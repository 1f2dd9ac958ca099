package render

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Format is a way to print a response.
type Format string

// The formats. Each but DER ends with a newline.
const (
	// Base64 is one line of the standard alphabet, with padding: for
	// consul-template, which trims the newline, and for base64Decode.
	Base64 Format = "base64"
	// DER is the response byte for byte. consul-template would damage it.
	DER Format = "der"
	// PEM is a block of type "OCSP RESPONSE".
	PEM Format = "pem"
	// JSON is a [Document].
	JSON Format = "json"
	// HAProxy is a command for HAProxy's runtime API, for socat. HAProxy itself
	// verifies nothing of what it is told.
	HAProxy Format = "haproxy"
)

// Formats are all formats in the order in which they are listed to people.
func Formats() []Format { return []Format{Base64, DER, PEM, JSON, HAProxy} }

// ParseFormat reads a format's name; its error lists the valid ones.
func ParseFormat(s string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if s == string(f) {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("format %.40q: not one of %s", s, strings.Join(names, ", "))
}

// Document is what the format JSON prints. Times are RFC 3339 in UTC.
type Document struct {
	// ID is the certificate's: 64 lower-case hex digits.
	ID string `json:"id"`
	// Serial is the certificate's serial number: lower-case hex, no colons.
	Serial string `json:"serial"`
	// Status is "good" or "revoked".
	Status     string    `json:"status"`
	ThisUpdate time.Time `json:"this_update"`
	// NextUpdate is absent where the response has none.
	NextUpdate time.Time `json:"next_update,omitzero"`
	// Until is when the response must no longer be served: the earliest of
	// nextUpdate and the ends of the certificate and of the signer's.
	Until time.Time `json:"until"`
	// RevokedAt is absent unless the status is revoked.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// SHA256 is the checksum of the DER: 64 lower-case hex digits.
	SHA256 string `json:"sha256"`
	// DER is the response in base64.
	DER []byte `json:"der"`
}

// Check refuses, with a *staple.Refusal, a response that must not be printed in
// this format at this time: one that HAProxy can't use, as its runtime command.
// Given less than ten minutes of life, HAProxy would throw out the better one
// that it has. Other formats fit everything that was verified.
func (f Format) Check(facts *staple.Facts, now time.Time) error {
	if f != HAProxy {
		return nil
	}
	return facts.FitsHAProxy(now)
}

// Write prints a verified response of the certificate id in one write, so that
// a reader never sees half of it for another reason than a broken pipe. For the
// format HAProxy it refuses what HAProxy can never take; that the response
// lives long enough now is for [Format.Check].
func Write(w io.Writer, f *staple.Facts, id string, format Format) error {
	b, err := encode(f, id, format)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print the response: %w", err)
	}
	return nil
}

func encode(f *staple.Facts, id string, format Format) ([]byte, error) {
	switch format {
	case DER:
		return f.DER, nil
	case Base64:
		return []byte(base64.StdEncoding.EncodeToString(f.DER) + "\n"), nil
	case PEM:
		return pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: f.DER}), nil
	case JSON:
		return document(f, id)
	case HAProxy:
		return command(f)
	}
	_, err := ParseFormat(string(format))
	return nil, err
}

func document(f *staple.Facts, id string) ([]byte, error) {
	b, err := json.MarshalIndent(Document{
		ID:         id,
		Serial:     f.Serial(),
		Status:     string(f.Status),
		ThisUpdate: f.ThisUpdate.UTC(),
		NextUpdate: f.NextUpdate.UTC(),
		Until:      f.Until.UTC(),
		RevokedAt:  f.RevokedAt.UTC(),
		SHA256:     f.SHA256(),
		DER:        f.DER,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("staple %s: %w", id, err)
	}
	return append(b, '\n'), nil
}

// command is the multi-line form of the runtime API: the payload follows "<<"
// and ends with an empty line.
func command(f *staple.Facts) ([]byte, error) {
	if err := f.FitsHAProxy(f.ThisUpdate); err != nil {
		return nil, err
	}
	return []byte("set ssl ocsp-response <<\n" + base64.StdEncoding.EncodeToString(f.DER) + "\n\n"), nil
}
