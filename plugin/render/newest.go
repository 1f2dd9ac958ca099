package render

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Source holds responses: Consul, or data_dir. Staple returns false where it
// has none for id. It must return when ctx ends and must be safe for use beside
// other sources. If it is a fmt.Stringer too, errors call it by that name.
type Source interface {
	Staple(ctx context.Context, id string) (record.Staple, bool, error)
}

// From makes a Source of a function; errors call it by name.
func From(name string, read func(ctx context.Context, id string) (record.Staple, bool, error)) Source {
	return source{name, read}
}

type source struct {
	name string
	read func(ctx context.Context, id string) (record.Staple, bool, error)
}

func (s source) Staple(ctx context.Context, id string) (record.Staple, bool, error) {
	return s.read(ctx, id)
}

func (s source) String() string { return s.name }

// Newest asks all sources at once and returns the newest response for leaf that
// verifies here, with issuer, at o.Now. On a tie the earlier source counts. A
// source's failure only shows when no source gives a response: then the error
// is a *[NoneError] with what each of them said. Any other error means that
// issuer did not issue leaf, so that no source could help.
func Newest(ctx context.Context, sources []Source, leaf, issuer *x509.Certificate, o staple.Options) (*staple.Facts, error) {
	if leaf == nil || issuer == nil {
		return nil, fmt.Errorf("render: needs a certificate and its issuer")
	}
	if err := staple.CheckIssuer(leaf, issuer); err != nil {
		return nil, err
	}
	id := staple.ID(leaf)
	facts := make([]*staple.Facts, len(sources))
	refused := make([]error, len(sources))
	var asked sync.WaitGroup
	for i, s := range sources {
		// Ends when its source has answered, at the latest when ctx ends.
		asked.Go(func() { facts[i], refused[i] = ask(ctx, s, id, leaf, issuer, o) })
	}
	asked.Wait()

	var best *staple.Facts
	none := &NoneError{ID: id}
	for i, f := range facts {
		switch {
		case refused[i] != nil:
			none.Reasons = append(none.Reasons, fmt.Errorf("%s: %w", nameOf(sources[i], i), refused[i]))
		case best == nil, record.Supersedes(string(f.Status), f.ThisUpdate, string(best.Status), best.ThisUpdate):
			best = f
		}
	}
	if best == nil {
		return nil, none
	}
	return best, nil
}

// ask is one source's response, judged, or why there is none.
func ask(ctx context.Context, s Source, id string, leaf, issuer *x509.Certificate, o staple.Options) (*staple.Facts, error) {
	st, found, err := s.Staple(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errAbsent
	}
	f, err := staple.Verify(st.DER, leaf, issuer, o)
	if err != nil {
		return nil, err
	}
	if f.Status == staple.Unknown {
		return nil, &staple.Refusal{Reason: staple.StatusUnknown, Detail: "the responder does not know the certificate"}
	}
	return f, nil
}

func nameOf(s Source, i int) string {
	if named, ok := s.(fmt.Stringer); ok {
		return named.String()
	}
	return fmt.Sprintf("source %d", i+1)
}
