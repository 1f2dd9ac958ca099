package staple

import (
	"bytes"
	"testing"
	"time"
)

func TestVerifyTellsWhatTheResponseSays(t *testing.T) {
	s := newScene(t, "ecdsa")
	der := s.answer().der(t)
	f, err := s.verify(der, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Status != Good || f.Serial() != serialHex(s.leaf.cert.SerialNumber) || !bytes.Equal(f.DER, der) || len(f.SHA256()) != 64 {
		t.Errorf("facts: %+v", f)
	}
	if !f.ThisUpdate.Equal(epoch.Add(-time.Hour)) || !f.NextUpdate.Equal(epoch.Add(23*time.Hour)) || !f.Until.Equal(f.NextUpdate) {
		t.Errorf("times: %v %v %v", f.ThisUpdate, f.NextUpdate, f.Until)
	}
	if f.Delegated || !f.Signer.Equal(s.issuer.cert) || f.SignatureAlgorithm != "ECDSA-SHA256" {
		t.Errorf("signer: %v %v %v", f.Delegated, f.Signer.Subject, f.SignatureAlgorithm)
	}
	if len(f.Unstaplable) > 0 || len(f.Warnings) > 0 || f.FitsHAProxy(epoch) != nil {
		t.Errorf("unstaplable %v, warnings %v, %v", f.Unstaplable, f.Warnings, f.FitsHAProxy(epoch))
	}
	der[len(der)-1]++
	if bytes.Equal(f.DER, der) {
		t.Error("DER is not a copy")
	}
}
