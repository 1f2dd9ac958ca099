package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What a hostile node announces is refused, counted, and named in status; what
// it takes away of others' announcements is put back; and none of it is in the
// way of what the others hold.
func TestHostileAnnouncements(t *testing.T) {
	t.Parallel()
	const flood, most = 100_000, 10
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	// So short a time has nodes look every five seconds whether what they
	// announced is still there.
	c.announce = fmt.Sprintf("max = %d\n  certificate_ttl = \"40s\"", most)
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	good := c.nodes[0].id(t, www)
	asked := c.authority.requests.Load()

	i := intruder{t, c}
	dir := t.TempDir()
	issue := func(name string, o testca.IssueOptions) record.Certificate {
		issued := c.authority.issue(t, dir, o, name+".example.test")[0]
		return record.Certificate{Leaf: issued.Leaf.Raw, Issuer: c.authority.Certificate().Raw, Job: "edge", Name: name}
	}
	falseIssuer, others := issue("false-issuer", testca.IssueOptions{}), issue("others", testca.IssueOptions{})
	falseIssuer.Issuer = initCA(t).Certificate().Raw
	metadata := issue("metadata", testca.IssueOptions{Responders: []string{"http://169.254.169.254/latest/meta-data/"}})
	huge, stolen := record.Checksum([]byte("huge")), record.Checksum([]byte("stolen"))
	for id, value := range map[string][]byte{
		falseIssuer.ID(): encode(t, falseIssuer),
		metadata.ID():    encode(t, metadata),
		stolen:           encode(t, others),
		huge:             []byte(strings.Repeat("-----BEGIN CERTIFICATE-----\n", 300<<10/28)),
	} {
		i.put("certificate/"+id, value)
		i.want(id)
	}
	c.statusHas(t, "the refused ones", func(r *status.Report) error {
		for id, why := range map[string]string{falseIssuer.ID(): "issuer", stolen: "its leaf has the id " + others.ID(), huge: "bytes"} {
			if text := troubleOf(r, "fetcher", id); !strings.Contains(text, "certificate: ") || !strings.Contains(text, why) {
				return fmt.Errorf("%s is in trouble %q, not for %q", id, text, why)
			}
		}
		for _, s := range r.Staples {
			if s.ID == metadata.ID() && s.State == status.Missing && s.Reason == "address-forbidden" {
				return nil
			}
		}
		return fmt.Errorf("nothing was said of the metadata service: %+v", r.Staples)
	})

	// Lines without end, in place of those that were there.
	buckets := map[string]record.Wanted{}
	for n := range flood {
		id := record.Checksum(fmt.Append(nil, "flood ", n))
		if buckets[record.Bucket(id)] == nil {
			buckets[record.Bucket(id)] = record.Wanted{}
		}
		buckets[record.Bucket(id)][id] = i.hour()
	}
	for bucket, lines := range buckets {
		i.put("wanted/"+bucket, lines.Encode())
	}
	c.statusHas(t, "what is too much", func(r *status.Report) error {
		text, count := troubleOf(r, "fetcher", ""), 0
		_, err := fmt.Sscanf(text, "announce-max: %d announced certificates are not followed: announce.max is 10", &count)
		// Some of them have the places of those that may come.
		if err != nil || count < flood-2*most || count > flood+most {
			return fmt.Errorf("its trouble is %q: %d, %v", text, count, err)
		}
		return nil
	})
	eventually(t, "the line that was taken away", func() error {
		lines, _, err := record.ParseWanted(record.Bucket(good), i.get("wanted/"+record.Bucket(good)))
		if err == nil && lines[good].IsZero() {
			err = fmt.Errorf("it is not back")
		}
		return err
	})
	c.asked(t, asked)
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
}

func encode(t *testing.T, c record.Certificate) []byte {
	t.Helper()
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// statusHas waits until status, as JSON, is as it should be.
func (c *cluster) statusHas(t *testing.T, what string, check func(r *status.Report) error) {
	t.Helper()
	dir := t.TempDir()
	job := writeJob(t, filepath.Join(dir, "status.hcl"), c.head(t, "status", `"deliver"`, dir))
	eventually(t, what, func() error {
		out, code := consulOCSP(t, "status", "-json", "-config-file="+job)
		var r status.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
			return fmt.Errorf("status ends with %d: %v\n%s", code, err, out)
		}
		return check(&r)
	})
}

// troubleOf is what is wrong with a certificate, on a node.
func troubleOf(r *status.Report, node, id string) string {
	for _, n := range r.Nodes {
		for _, trouble := range n.Troubles {
			if n.Node == node && trouble.ID == id {
				return trouble.Reason + ": " + trouble.Error
			}
		}
	}
	return ""
}

// A certificate is renewed on one node after the other: meanwhile each serves
// the response that fits its own file.
func TestRollingRenewal(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	old, renewed := c.nodes[0], c.nodes[1]
	before := old.id(t, www)
	superseded := issuedAs(t, c, []string{www})[www]
	c.authority.issue(t, filepath.Dir(renewed.certificate(www)), testca.IssueOptions{}, www)
	serves := func(n *node) {
		t.Helper()
		eventually(t, n.name+" staples what fits its certificate", func() error {
			certificates, err := staple.ParseCertificates([]byte(readText(t, n.certificate(www))))
			if err != nil {
				return err
			}
			der, err := os.ReadFile(n.file(www))
			if err == nil {
				_, err = staple.Verify(der, certificates[0], c.authority.Certificate(), staple.Options{Now: time.Now()})
			}
			return err
		})
	}
	serves(renewed)
	renewed.haproxy.Restart()
	stapled(t, renewed.haproxy.Address(), www, "good")
	stapled(t, old.haproxy.Address(), www, "good")
	serves(old)
	i := intruder{t, c}
	after := renewed.id(t, www)
	if before == after || i.get("der/"+before) == nil || i.get("der/"+after) == nil {
		t.Errorf("not both are published: %s, %s", before, after)
	}

	// What comes of the old one is for who still has it, and for nobody else.
	if err := c.authority.RevokeSerial(superseded.Leaf.SerialNumber, "superseded"); err != nil {
		t.Fatal(err)
	}
	c.hurry(t)
	c.statusHas(t, "the revocation", func(r *status.Report) error {
		for _, s := range r.Staples {
			if (s.State == status.Revoked) != (s.ID == before) {
				return fmt.Errorf("%s is %s", s.ID, s.State)
			}
		}
		return nil
	})
	stapled(t, old.haproxy.Address(), www, "revoked")
	stapled(t, renewed.haproxy.Address(), www, "good")
}
