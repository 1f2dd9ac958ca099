package staple

import (
	"bytes"
	stdasn1 "encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// input reads one constructed DER element from front to back. The first error sticks and is shared by all inputs
// made from the same root; after it every read returns a zero value and more returns false, so that a reader can
// be written as a plain list of fields and ask once at its end. cryptobyte refuses indefinite and non-minimal
// lengths, so BER does not pass; end refuses what is left over.
type input struct {
	rest cryptobyte.String
	name string
	err  *error
}

func newInput(der []byte, name string) *input {
	return &input{rest: der, name: name, err: new(error)}
}

func (in *input) failf(format string, args ...any) {
	if *in.err == nil {
		*in.err = fmt.Errorf(in.name+": "+format, args...)
		in.rest = nil
	}
}

// more reports whether elements are left and no error was met.
func (in *input) more() bool { return *in.err == nil && !in.rest.Empty() }

// end requires that nothing is left over.
func (in *input) end() {
	if *in.err == nil && !in.rest.Empty() {
		in.failf("%d bytes left over", len(in.rest))
	}
}

// has reports whether the next element has this tag.
func (in *input) has(tag asn1.Tag) bool {
	return *in.err == nil && in.rest.PeekASN1Tag(tag)
}

// sub reads an element and returns a reader of its content.
func (in *input) sub(name string, tag asn1.Tag) *input {
	return &input{rest: in.content(name, tag), name: name, err: in.err}
}

// content reads an element and returns what is inside.
func (in *input) content(name string, tag asn1.Tag) []byte {
	var out cryptobyte.String
	if *in.err == nil && !in.rest.ReadASN1(&out, tag) {
		in.failf("%s is absent, of another type or not DER", name)
	}
	return out
}

// element reads an element and returns it whole, with tag and length.
func (in *input) element(name string, tag asn1.Tag) []byte {
	var out cryptobyte.String
	if *in.err == nil && !in.rest.ReadASN1Element(&out, tag) {
		in.failf("%s is absent, of another type or not DER", name)
	}
	return out
}

// anything passes over one element of any type.
func (in *input) anything(name string) {
	var out cryptobyte.String
	var tag asn1.Tag
	if *in.err == nil && !in.rest.ReadAnyASN1Element(&out, &tag) {
		in.failf("%s is absent or not DER", name)
	}
}

// oid reads an object identifier and writes it with dots.
func (in *input) oid(name string) string {
	ahead := in.rest
	var content cryptobyte.String
	if *in.err == nil && ahead.ReadASN1(&content, asn1.OBJECT_IDENTIFIER) {
		if dotted, ok := usualOIDs[string(content)]; ok {
			in.rest = ahead
			return dotted
		}
	}
	var out stdasn1.ObjectIdentifier
	if *in.err == nil && !in.rest.ReadASN1ObjectIdentifier(&out) {
		in.failf("%s is not an object identifier", name)
	}
	return out.String()
}

// usualOIDs are those that responses hold, by their DER content, so that reading one needs no memory.
var usualOIDs = map[string]string{
	"\x2b\x06\x01\x05\x05\x07\x30\x01\x01": oidBasic,
	"\x2b\x0e\x03\x02\x1a":                 oidSHA1,
	"\x60\x86\x48\x01\x65\x03\x04\x02\x01": oidSHA256,
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b": oidSHA256RSA,
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c": oidSHA384RSA,
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d": oidSHA512RSA,
	"\x2a\x86\x48\xce\x3d\x04\x03\x02":     oidECDSASHA256,
	"\x2a\x86\x48\xce\x3d\x04\x03\x03":     oidECDSASHA384,
	"\x2a\x86\x48\xce\x3d\x04\x03\x04":     oidECDSASHA512,
	"\x2b\x65\x70":                         oidEd25519,
}

func (in *input) integer(name string) *big.Int {
	out := new(big.Int)
	if *in.err == nil && !in.rest.ReadASN1Integer(out) {
		in.failf("%s is not a DER integer", name)
	}
	return out
}

// number reads an INTEGER of any size and returns its content, for bigNumber; nothing else takes memory.
func (in *input) number(name string) []byte {
	b := in.content(name, asn1.INTEGER)
	if *in.err == nil && (len(b) == 0 || len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80)) {
		in.failf("%s is not a DER integer", name)
		return nil
	}
	return b
}

// bigNumber is the value of an INTEGER's content: two's complement (X.690 8.3.3).
func bigNumber(content []byte) *big.Int {
	n := new(big.Int).SetBytes(content)
	if len(content) > 0 && content[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(content))))
	}
	return n
}

// isNumber reports whether the content of an INTEGER, in its shortest form, is n.
func isNumber(content []byte, n *big.Int) bool {
	var room [32]byte // serial numbers have up to 20 (RFC 5280 section 4.1.2.2)
	if n.Sign() < 0 || n.BitLen() >= 8*len(room) || len(content) > len(room) {
		return bigNumber(content).Cmp(n) == 0
	}
	size := n.BitLen()/8 + 1 // with the sign
	return len(content) == size && bytes.Equal(content, n.FillBytes(room[:size]))
}

func (in *input) enumerated(name string) int {
	var out int
	if *in.err == nil && !in.rest.ReadASN1Enum(&out) {
		in.failf("%s is not a DER enumerated value", name)
	}
	return out
}

// bits reads a BIT STRING of whole octets.
func (in *input) bits(name string) []byte {
	var out []byte
	if *in.err == nil && !in.rest.ReadASN1BitStringAsBytes(&out) {
		in.failf("%s is not a bit string of whole octets", name)
	}
	return out
}

// critical reads an extension's flag. It defaults to false, and DER leaves defaults out (X.690 11.5).
func (in *input) critical() bool {
	var out bool
	if in.has(asn1.BOOLEAN) && (!in.rest.ReadASN1Boolean(&out) || !out) {
		in.failf("critical is not a DER boolean or writes its default out")
	}
	return out
}

// timeForm is the only form of GeneralizedTime that RFC 5280 section 4.1.2.5.2 lets stand in a response.
const timeForm = "20060102150405Z"

func (in *input) time(name string) time.Time {
	text := in.content(name, asn1.GeneralizedTime)
	if *in.err != nil {
		return time.Time{}
	}
	var t time.Time
	var room [len(timeForm)]byte
	if len(text) == len(timeForm) {
		two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
		t = time.Date(100*two(0)+two(2), time.Month(two(4)), two(6), two(8), two(10), two(12), 0, time.UTC)
	}
	// Date takes what is no digit and the 31st of June for something else; written out, only a lawful time is the same.
	if !bytes.Equal(t.AppendFormat(room[:0], timeForm), text) {
		in.failf("%s is not of the form YYYYMMDDHHMMSSZ", name)
		return time.Time{}
	}
	return t
}
