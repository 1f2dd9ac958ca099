package testca

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (c *CA) indexPath() string { return filepath.Join(c.dir, "index.txt") }

// readIndex reads the index as it is now.
func (c *CA) readIndex() (*index, error) {
	text, err := readFile(c.indexPath())
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.indexPath(), err)
	}
	return x, nil
}

// changeIndex reads, changes and replaces the index under the lock; where change
// fails the file stays as it was.
func (c *CA) changeIndex(change func(*index) error) error {
	return withLock(c.indexPath()+".lock", func() error {
		x, err := c.readIndex()
		if err != nil {
			return err
		}
		if err := change(x); err != nil {
			return err
		}
		return writeFile(c.indexPath(), []byte(x.format()), 0o644)
	})
}

// record puts new certificates into the index.
func (c *CA) record(certificates []*x509.Certificate) error {
	return c.changeIndex(func(x *index) error {
		for _, cert := range certificates {
			if err := x.add(newEntry(cert)); err != nil {
				return err
			}
		}
		if x.subjectsAreUnique() {
			return nil
		}
		return c.writeAttributes()
	})
}

// attributes let two valid certificates have one subject, as an old one and its
// renewal do. Without them openssl refuses even to read such an index.
const attributes = "unique_subject = no\n"

// writeAttributes replaces what openssl wrote there; it knows no other attribute.
func (c *CA) writeAttributes() error {
	path := c.indexPath() + ".attr"
	if old, err := os.ReadFile(path); err == nil && string(old) == attributes {
		return nil
	}
	return writeFile(path, []byte(attributes), 0o644)
}

// Revoke revokes all certificates of a name that are still valid: those whose
// common name it is, an old one and its renewal alike. It is an error if there is
// none.
func (c *CA) Revoke(name string) error { return c.RevokeWithReason(name, "") }

// RevokeWithReason is Revoke with one of openssl's reasons, such as
// "keyCompromise" or "superseded"; "" gives none. With "certificateHold" the
// certificate can be released; or revoked once more for another reason, and then
// its time stays that of the hold (X.509, 8.5.2.2).
func (c *CA) RevokeWithReason(name, reason string) error {
	return c.revoke(fmt.Sprintf("certificate %q", name), reason, byName(name))
}

// RevokeSerial revokes one certificate, so that an old one can be revoked and
// its renewal stays good. For reason see RevokeWithReason.
func (c *CA) RevokeSerial(serial *big.Int, reason string) error {
	return c.revoke("serial "+formatSerial(serial), reason, func(x *index) []int {
		if i, ok := x.bySerial[formatSerial(serial)]; ok {
			return []int{i}
		}
		return nil
	})
}

func (c *CA) revoke(what, reason string, find func(*index) []int) error {
	number, err := parseReason(reason)
	if err != nil {
		return err
	}
	return c.changeEntries(what, "already revoked or expired", find, func(e *indexEntry) bool {
		switch {
		case e.status == 'V':
			e.revoked = firstTime(c.now(), c.now())
		case !e.onHold() || number == certificateHold:
			return false
		}
		e.status, e.reason = 'R', number
		return true
	})
}

// Release makes all certificates of a name valid again that are revoked with
// the reason certificateHold. It is an error if there is none. openssl has no
// command for it: those who use it edit the line in index.txt to the same.
func (c *CA) Release(name string) error {
	return c.changeEntries(fmt.Sprintf("certificate %q", name), "not on hold", byName(name), func(e *indexEntry) bool {
		if !e.onHold() {
			return false
		}
		e.status, e.revoked, e.reason = 'V', time.Time{}, -1
		return true
	})
}

// byName finds the lines of a name, whatever their status.
func byName(name string) func(*index) []int {
	return func(x *index) (found []int) {
		for i, line := range x.lines {
			if line.entry != nil && strings.EqualFold(line.entry.commonName(), name) {
				found = append(found, i)
			}
		}
		return found
	}
}

// changeEntries changes those of the found lines that change takes on; none is
// an error, which says what is otherwise the matter.
func (c *CA) changeEntries(what, otherwise string, find func(*index) []int, change func(*indexEntry) bool) error {
	return c.changeIndex(func(x *index) error {
		found, changed := find(x), 0
		for _, i := range found {
			line := &x.lines[i]
			if change(line.entry) {
				line.text = line.entry.format()
				changed++
			}
		}
		switch {
		case len(found) == 0:
			return fmt.Errorf("%s: not issued by the CA in %s", what, c.dir)
		case changed == 0:
			return fmt.Errorf("%s: %s", what, otherwise)
		}
		return nil
	})
}

// newEntry is the index entry of a certificate just signed.
func newEntry(leaf *x509.Certificate) *indexEntry {
	return &indexEntry{status: 'V', expires: leaf.NotAfter, reason: -1, serial: leaf.SerialNumber, subject: oneline(leaf)}
}

// oneline gives the subject as openssl's X509_NAME_oneline does, since openssl
// looks a certificate up by it.
func oneline(leaf *x509.Certificate) string {
	short := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
	var b strings.Builder
	for _, a := range leaf.Subject.Names {
		name := a.Type.String()
		if s, ok := short[name]; ok {
			name = s
		}
		b.WriteString("/" + name + "=")
		for _, c := range []byte(fmt.Sprint(a.Value)) {
			if c < ' ' || c > '~' {
				fmt.Fprintf(&b, `\x%02X`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}
