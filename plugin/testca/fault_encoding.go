package testca

import (
	"encoding/asn1"
	"errors"
)

// encodingFaults are answers that are right but for their bytes.
func encodingFaults() []fault {
	one := func(name, does string, change func(der []byte) ([]byte, error)) fault {
		return fault{Fault: Fault{Name: name, Group: "refuse", Does: does}, change: func(x *exchange) (err error) {
			x.page.body, err = change(x.page.body)
			return err
		}}
	}
	return []fault{
		one("ber-indefinite", "writes the answer with an indefinite length (BER)", func(der []byte) ([]byte, error) {
			content, err := outerContent(der)
			return append(append([]byte{0x30, 0x80}, content...), 0, 0), err
		}),
		one("ber-length", "writes the answer's length with a byte too many (BER)", func(der []byte) ([]byte, error) {
			content, err := outerContent(der)
			n := len(content)
			return append([]byte{0x30, 0x84, 0, byte(n >> 16), byte(n >> 8), byte(n)}, content...), err
		}),
		one("trailing", "sends a byte more behind the answer", func(der []byte) ([]byte, error) { return append(der, 0), nil }),
		one("unsigned", "puts bytes into the answer that are not signed", insertUnsigned),
	}
}

// outerContent is what stands in the outermost SEQUENCE.
func outerContent(der []byte) ([]byte, error) {
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, errors.Join(err, errors.New("the answer is not one value"))
	}
	return outer.Bytes, nil
}

// insertUnsigned puts a NULL at the end of the BasicOCSPResponse. An OCSP status
// without content stays as it is.
func insertUnsigned(der []byte) ([]byte, error) {
	var r successfulResponse
	if _, err := asn1.Unmarshal(der, &r); err != nil || len(r.Content.Response) == 0 {
		return der, nil
	}
	var basic asn1.RawValue
	if _, err := asn1.Unmarshal(r.Content.Response, &basic); err != nil {
		return nil, err
	}
	var err error
	basic = asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(basic.Bytes, asn1.NullBytes...)}
	if r.Content.Response, err = asn1.Marshal(basic); err != nil {
		return nil, err
	}
	return asn1.Marshal(r)
}
