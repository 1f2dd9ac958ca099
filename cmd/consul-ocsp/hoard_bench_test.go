package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/crypto/ocsp"
	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// hoard makes many announced certificates of one CA, and their responses. All leaves have one key, so that making
// them is quick.
type hoard struct {
	b    *testing.B
	n    int
	key  *ecdsa.PrivateKey
	ca   *x509.Certificate
	now  time.Time
	hour time.Time
}

func newHoard(b *testing.B, n int) *hoard {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Example Trust Services"}, CommonName: "Example Issuing CA"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	return &hoard{b: b, n: n, key: key, ca: ca, now: now, hour: record.Hour(now)}
}

// one is certificate i: its record, and its response with what is said of it.
func (h *hoard) one(i int) (record.Certificate, record.Staple, error) {
	serial := new(big.Int).SetBytes(fmt.Appendf(nil, "consul-ocsp%05d", i)) // 16 bytes
	name := fmt.Sprintf("host%05d.example.com", i)
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "www." + name},
		NotBefore: h.now.Add(-time.Hour), NotAfter: h.now.AddDate(0, 0, 90),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		OCSPServer: []string{"http://127.0.0.1:9/ocsp"},
	}, h.ca, h.key.Public(), h.key)
	if err != nil {
		return record.Certificate{}, record.Staple{}, err
	}
	this, until := h.now.Add(-time.Hour), h.now.AddDate(0, 0, 7)
	der, err := ocsp.CreateResponse(h.ca, h.ca, ocsp.Response{
		Status: ocsp.Good, SerialNumber: serial, ThisUpdate: this, NextUpdate: until,
	}, h.key)
	if err != nil {
		return record.Certificate{}, record.Staple{}, err
	}
	sum := sha256.Sum256(leaf)
	id := hex.EncodeToString(sum[:])
	names := []string{name, "www." + name}
	st, err := record.NewStaple(id, record.Meta{
		SHA256: record.Checksum(der), Serial: hex.EncodeToString(serial.Bytes()), Issuer: h.ca.Subject.String(), Status: "good",
		ThisUpdate: this, NextUpdate: until, Until: until, Names: names, Responder: "http://127.0.0.1:9/ocsp", Job: "edge", Name: name,
	}, der)
	return record.Certificate{Leaf: leaf, Issuer: h.ca.Raw, Names: names, Job: "edge", Name: name}, st, err
}

// fill puts all into Consul, as nodes and a former leader leave it, and the responses into a data_dir.
func (h *hoard) fill(client *api.Client, dataDir string) {
	h.b.Helper()
	staples := filepath.Join(dataDir, "staple")
	if err := os.MkdirAll(staples, 0o700); err != nil {
		h.b.Fatal(err)
	}
	const most = 40 // certificates in a transaction, three operations each
	parts := (h.n + most - 1) / most
	ids := make([]string, h.n)
	group, _ := errgroup.WithContext(h.b.Context())
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for part := range parts {
		group.Go(func() error {
			var ops api.TxnOps
			for i := part * most; i < min((part+1)*most, h.n); i++ {
				c, st, err := h.one(i)
				if err != nil {
					return err
				}
				ids[i] = st.ID
				file, err := st.Encode()
				if err == nil {
					err = os.WriteFile(filepath.Join(staples, st.ID+".json"), file, 0o600)
				}
				if err != nil {
					return err
				}
				text, err := c.Encode()
				if err != nil {
					return err
				}
				meta, err := st.Meta.Encode()
				if err != nil {
					return err
				}
				ops = append(ops, put("certificate/"+st.ID, text), put("der/"+st.ID, st.DER), put("meta/"+st.ID, meta))
			}
			return h.commit(client, ops)
		})
	}
	if err := group.Wait(); err != nil {
		h.b.Fatal(err)
	}
	buckets := map[string]record.Wanted{}
	for _, id := range ids {
		if buckets[record.Bucket(id)] == nil {
			buckets[record.Bucket(id)] = record.Wanted{}
		}
		buckets[record.Bucket(id)][id] = h.hour
	}
	for bucket, w := range buckets {
		if err := h.commit(client, api.TxnOps{put("wanted/"+bucket, w.Encode())}); err != nil {
			h.b.Fatal(err)
		}
	}
}

func (h *hoard) commit(client *api.Client, ops api.TxnOps) error {
	ok, answer, _, err := client.Txn().Txn(ops, nil)
	if err == nil && !ok {
		err = fmt.Errorf("transaction refused: %v", answer.Errors)
	}
	return err
}

func put(key string, value []byte) *api.TxnOp {
	return &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVSet, Key: "consul-ocsp/v1/" + key, Value: value}}
}
