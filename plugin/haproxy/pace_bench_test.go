package haproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// BenchmarkDamage has one certificate's staple replaced again and again, at
// several paces, while clients shake hands without a pause, and counts those
// that were shown neither the one response nor the other. The pace of a Client
// is chosen by it. An iteration is a second: -benchtime=60x.
func BenchmarkDamage(b *testing.B) {
	for _, binary := range []string{haproxytest.Binary(b), consultest.Binary(b, "haproxy-3.0")} {
		for _, pace := range []float64{0, 1000, 100} {
			name := fmt.Sprintf("%g-a-second", pace)
			if pace == 0 {
				name = "flat-out"
			}
			p, version := busyHAProxy(b, binary)
			b.Run(version+"/"+name, func(b *testing.B) { p.damage(b, pace) })
		}
	}
}

type busy struct {
	*haproxytest.Process
	path  string
	texts [2]string
	ders  [2][]byte
	many  string // as many pushes as one command line can hold
	batch int64
}

func busyHAProxy(b *testing.B, binary string) (*busy, string) {
	b.Helper()
	w := newWorld(b)
	www := w.issue("www.test", testca.IssueOptions{})
	s := &busy{path: www.Path}
	for i := range s.ders {
		s.ders[i] = w.good(www, time.Duration(2-i)*time.Hour, time.Duration(i+1)*time.Hour).OCSP
		s.texts[i] = "set ssl ocsp-response " + base64.StdEncoding.EncodeToString(s.ders[i])
	}
	for len(s.many)+len(s.texts[0])+len(s.texts[1]) < haproxy.MaxCommand-2 {
		s.many += s.texts[0] + ";" + s.texts[1] + ";"
		s.batch += 2
	}
	writeFile(b, www.Path+".ocsp", s.ders[0])
	s.Process = haproxytest.Start(b, haproxytest.Options{Certs: []string{www.Path}, Binary: binary})
	info, err := client(b, s.Socket()).Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return s, info.Version
}

func (s *busy) damage(b *testing.B, pace float64) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Duration(b.N)*time.Second)
	defer cancel()
	var shakes, damaged, pushes atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				conn, err := tls.Dial("tcp", s.Address(), &tls.Config{ServerName: "www.test", InsecureSkipVerify: true})
				if err != nil {
					b.Error(err)
					return
				}
				got := conn.OCSPResponse()
				conn.Close()
				shakes.Add(1)
				if !bytes.Equal(got, s.ders[0]) && !bytes.Equal(got, s.ders[1]) {
					damaged.Add(1)
				}
			}
		})
	}
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		text, n := s.texts[i%2], int64(1)
		if pace == 0 {
			text, n = s.many, s.batch
		}
		if _, err := s.Command(text); err != nil {
			b.Error(err)
			break
		}
		pushes.Add(n)
		if pace > 0 {
			select {
			case <-time.After(time.Until(began.Add(time.Duration(float64(i+1) / pace * float64(time.Second))))):
			case <-ctx.Done():
			}
		}
	}
	all.Wait()
	b.ReportMetric(float64(shakes.Load()), "handshakes")
	b.ReportMetric(float64(pushes.Load()), "pushes")
	b.ReportMetric(float64(damaged.Load()), "damaged")
}
