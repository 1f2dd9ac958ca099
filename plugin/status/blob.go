package status

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// worthwhile is from how many bytes on an answer is compressed.
const worthwhile = 1 << 10

// blob is an answer that many may be given: it is compressed once, and not
// before somebody wants it so.
type blob struct {
	plain []byte
	kind  string // empty: JSON
	once  sync.Once
	zip   []byte
}

func (b *blob) write(w http.ResponseWriter, r *http.Request, code int) {
	header := w.Header()
	header.Set("Content-Type", cmp.Or(b.kind, "application/json; charset=utf-8"))
	header.Add("Vary", "Accept-Encoding")
	body := b.plain
	if len(body) >= worthwhile && takesGzip(r) {
		header.Set("Content-Encoding", "gzip")
		body = b.compressed()
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // HEAD: not sent; an error is the asker's
}

func (b *blob) compressed() []byte {
	b.once.Do(func() {
		var out bytes.Buffer
		z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is one
		_, _ = z.Write(b.plain)                           // nor does a buffer fail
		_ = z.Close()
		b.zip = out.Bytes()
	})
	return b.zip
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			name, weight = strings.TrimSpace(name), strings.ReplaceAll(weight, " ", "")
			if strings.EqualFold(name, "gzip") || name == "*" {
				return strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
			}
		}
	}
	return false
}
