package pull_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// BenchmarkAnswers is how many requests for 1,000 certificates are answered in a
// second over connections that stay open, the client on the same processors. The
// same client beside it gets a file of the same size from the HTTP server of the
// standard library, which does nothing else.
func BenchmarkAnswers(b *testing.B) {
	w := newWorld(b)
	var paths []string
	var size int
	for i := range 1000 {
		cert := w.issue(fmt.Sprintf("www%d.example.test", i))
		st := w.stored(cert, testca.Answer{}, time.Hour, time.Hour)
		w.deliver(st)
		size = len(st.DER)
		paths = append(paths, "/"+url.PathEscape(base64.StdEncoding.EncodeToString(w.request(cert))))
	}
	body := make([]byte, size)
	plain := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = rw.Write(body)
	}))
	defer plain.Close()
	server := httptest.NewServer(w.answerer)
	defer server.Close()
	b.ResetTimer()
	const requests = 20_000
	var ours, theirs time.Duration
	for range b.N {
		theirs += ask(b, plain.Listener.Addr().String(), paths, requests)
		ours += ask(b, server.Listener.Addr().String(), paths, requests)
	}
	b.ReportMetric(float64(requests*b.N)/ours.Seconds(), "answers/s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-plain-http")
	b.ReportMetric(0, "ns/op")
}

// ask sends n requests by several connections and is how long they took.
func ask(b *testing.B, address string, paths []string, n int) time.Duration {
	b.Helper()
	workers := 4 * runtime.GOMAXPROCS(0)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { // ends after its share
			if err := askShare(address, paths[i*len(paths)/workers:], n/workers); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func askShare(address string, paths []string, n int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	text := textproto.NewReader(in)
	var out bytes.Buffer
	for i := range n {
		out.Reset()
		fmt.Fprintf(&out, "GET %s HTTP/1.1\r\nHost: ocsp.example.test\r\n\r\n", paths[i%len(paths)])
		if _, err := conn.Write(out.Bytes()); err != nil {
			return err
		}
		if line, err := text.ReadLine(); err != nil || line != "HTTP/1.1 200 OK" {
			return fmt.Errorf("%q: %w", line, err)
		}
		header, err := text.ReadMIMEHeader()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, in, size); err != nil {
			return err
		}
	}
	return nil
}
