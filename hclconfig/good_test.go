package hclconfig

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// environ is an environment of these variables and no others.
func environ(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func load(t *testing.T, env func(string) (string, bool), paths ...string) *Config {
	t.Helper()
	c, err := Load(LoadOptions{Paths: paths, Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// diff compares configurations but for the places they are from.
func diff(want, got any) string {
	secret := cmp.Comparer(func(a, b Secret) bool { return string(a) == string(b) })
	return cmp.Diff(want, got, secret, cmpopts.IgnoreTypes(Source{}), cmpopts.IgnoreFields(Config{}, "Files"), cmpopts.EquateEmpty())
}

func TestDefaultsFileSpellsOutTheDefaults(t *testing.T) {
	required := load(t, nil, "testdata/good/required.hcl")
	if d := diff(required, load(t, nil, "testdata/good/defaults.hcl")); d != "" {
		t.Errorf("what is left out differs from what defaults.hcl says (-left out +said):\n%s", d)
	}

	want := Default()
	consul := DefaultConsul()
	want.Consul = &consul
	want.Service = &Service{Name: "consul-ocsp"}
	want.Pull = &Pull{Address: "127.0.0.1:8888"}
	want.HTTP = &HTTP{
		Address: "127.0.0.1:8509", StapleMetrics: true,
		TLS: &ServerTLS{CertFile: "/etc/consul-ocsp.d/tls.pem", KeyFile: "/etc/consul-ocsp.d/tls.key"},
	}
	job := DefaultJob(want)
	job.Name = "edge"
	job.Certificates = []Certificate{{Name: "www", Path: "/etc/haproxy/certs/www.pem", Fetch: want.Fetch}}
	job.Globs = []Certificates{{Paths: []string{"/etc/haproxy/certs"}}}
	job.HAProxy = []DeliverHAProxy{DefaultHAProxy()}
	job.Exec = []DeliverExec{{Command: []string{"/usr/local/bin/new-staple"}, Timeout: 30 * time.Second}}
	want.Jobs = []Job{job}
	if d := diff(want, required); d != "" {
		t.Errorf("Default() differs from what an empty file means (-Default +file):\n%s", d)
	}
}

func TestMinimal(t *testing.T) {
	c := load(t, nil, "testdata/good/minimal.hcl")
	if c.Consul != nil || len(c.Jobs) != 1 || len(c.Jobs[0].HAProxy) != 1 {
		t.Errorf("got %+v", c)
	}
	if got := c.Jobs[0].Certificates[0].Source.String(); got != "testdata/good/minimal.hcl:3" {
		t.Errorf("the certificate is from %s", got)
	}
	if !c.HasRole("deliver") || c.HasRole("lead") || c.Job("edge") == nil || c.Job("core") != nil {
		t.Error("HasRole or Job is wrong")
	}
}

func TestFull(t *testing.T) {
	top := Fetch{
		MinDelay: 10 * time.Minute, MaxDelay: 2 * time.Hour, Timeout: 5 * time.Second, Proxy: "http://user:geheim@proxy.example.com:3128",
		Responder: []string{"http://ocsp.example.com/r1", "https://10.0.0.1:8443"}, Host: "ocsp.example.com",
		TrustedResponders: "/etc/ocsp/responders.pem", TrustedIssuers: "/etc/ocsp/issuers.pem",
		AllowedResponders: []string{"*.example.com", "10.0.0.1"}, AllowPrivateAddresses: true, AllowSHA1Signatures: true,
		Concurrency: 4, Rate: 20, History: 30,
	}
	edge := top
	edge.MinDelay, edge.Responder, edge.Host, edge.History = 30*time.Minute, nil, "", 0
	www := edge
	www.Responder, www.Host, www.TrustedResponders = []string{""}, "other.example.com:8080", "/etc/ocsp/www.pem"
	announced := top
	announced.MinDelay, announced.MaxDelay = time.Minute, 15*time.Minute

	want := Default()
	want.Roles = []string{"fetch"}
	want.NodeName, want.DataDir, want.LockDir = "lb-1.example", "/srv/ocsp", "/run/ocsp-locks"
	want.TrustedFolders = []string{"/opt/nomad/alloc", "/srv/certs/"}
	want.Fallback = false
	want.LogLevel, want.LogJSON, want.LogFile = "debug", true, "/var/log/consul-ocsp.log"
	want.LogRotateBytes, want.LogRotateMaxFiles = 1048576, 7
	want.EnableSyslog, want.SyslogFacility, want.LogOCSPUpdate = true, "DAEMON", true
	want.Telemetry = Telemetry{MetricsPrefix: "ocsp", DisableHostname: true, StatsdAddress: "127.0.0.1:8125", DogstatsdAddr: "127.0.0.1:8126", DogstatsdTags: []string{"edge"}}
	want.Consul = &Consul{
		Address: "https://consul.example.com:8501", Token: "11111111-2222-3333-4444-555555555555",
		Datacenter: "dc2", Namespace: "tls", Partition: "edge", Path: "shared/ocsp/",
		Datacenters: []string{"dc1", "dc3"},
		SessionTTL:  10 * time.Second, LockDelay: time.Second,
		TLS: ConsulTLS{
			Enabled: true, CAFile: "/etc/consul/ca.pem", CertFile: "/etc/consul/client.pem",
			KeyFile: "/etc/consul/client.key", ServerName: "server.dc2.consul",
		},
	}
	want.HTTP = &HTTP{
		Address: "unix:///run/consul-ocsp/http.sock", Hosts: []string{"staples.example.com", "*.edge.example.com"},
		TLS: &ServerTLS{CertFile: "/etc/ssl/status.pem", KeyFile: "/etc/ssl/status.key", CAFile: "/etc/ssl/operators.pem"},
	}
	want.Pull = &Pull{Address: "unix:///run/consul-ocsp/pull.sock"}
	want.Service = &Service{Name: "ocsp-staples", Tags: []string{"edge", "tls 1.3"}}
	want.OnEvent = OnEvent{
		Command: []string{"/usr/local/bin/tell", "operators"}, Webhook: "https://hooks.example.com/staples?key=geheim",
		Events: []string{"revoked", "expiring"}, Timeout: 10 * time.Second,
	}
	want.Announce = Announce{CertificateTTL: 24 * time.Hour, Names: true, Max: 1000}
	want.Fetch = top
	want.Jobs = []Job{{
		Name: "edge", Fetch: edge, WriteFiles: true, WriteIssuer: true,
		Certificates: []Certificate{
			{Name: "www", Path: "/etc/haproxy/certs/www.pem", Issuer: "/etc/haproxy/ca/issuer.pem", OCSPFile: "/var/lib/staples/www.der", Fetch: www},
			{Name: "api", Path: "/etc/haproxy/certs/api.pem", Fetch: edge},
		},
		Globs:         []Certificates{{Paths: []string{"/etc/haproxy/more", "/srv/*/certs/*.pem"}, Exclude: []string{"old-*", "/srv/test/**"}}},
		CrtLists:      []CrtList{{Path: "/etc/haproxy/crt-list.txt"}},
		HAProxyConfig: []HAProxyConfig{{Path: "/etc/haproxy/haproxy.cfg"}},
		HAProxy: []DeliverHAProxy{
			{Name: "blue", Socket: "/run/haproxy/blue.sock", Method: "reload", Reload: []string{"systemctl", "reload", "haproxy@blue"}, Discover: true,
				OnRevoked: "keep", MinInterval: 5 * time.Minute, MaxConcurrent: 3, Placeholder: true},
			{Name: "green", Socket: "127.0.0.1:9999", Method: "push", OnRevoked: "keep", MinInterval: time.Minute, MaxConcurrent: 1},
		},
		Nginx: []DeliverNginx{{Reload: []string{"nginx", "-s", "reload"}, File: "/etc/nginx/ocsp/{name}.ocsp"}},
		Exec:  []DeliverExec{{Name: "log", Command: []string{"/usr/bin/logger", "new staple"}, Timeout: time.Minute}},
	}, {
		Name: "watched", Fetch: top, WriteFiles: true, WriteIssuer: true, Connect: "lb.example.com:8443",
		Certificates: []Certificate{{Name: "bird", Path: "/etc/haproxy/canary/bird.pem", Fetch: top}},
		HAProxy:      []DeliverHAProxy{{Socket: "/run/haproxy/watched.sock", Method: "auto", OnRevoked: "staple", MinInterval: time.Minute, MaxConcurrent: 1}},
		Canary: &Canary{
			Certificate: "bird", Revoke: []string{"/usr/local/bin/canary", "revoke"}, Renew: []string{"/usr/local/bin/canary", "renew"},
			Every: 12 * time.Hour, Within: 90 * time.Minute, Timeout: 10 * time.Minute,
		},
	}, {
		Name: "internal", Fetch: top, Connect: "127.0.0.1:443",
		Certificates: []Certificate{{Name: "db", Path: "/etc/pki/db.pem", Fetch: top}},
		Exec:         []DeliverExec{{Command: []string{"/usr/local/bin/db-staple"}, Timeout: 30 * time.Second}},
	}, {
		Name: "announced", Fetch: announced, WriteFiles: true, WriteIssuer: true,
	}}
	c := load(t, nil, "testdata/good/full.hcl")
	if d := diff(want, c); d != "" {
		t.Errorf("full.hcl (-want +got):\n%s", d)
	}
	if !c.Jobs[0].Certificates[0].Fetch.Off() || c.Jobs[0].Certificates[1].Fetch.Off() {
		t.Error("Off is wrong")
	}
}

// What works has to be in full.hcl with another value than its default, so
// that the test above can't miss a setting that is read into the wrong place.
func TestFullHasEverythingThatWorks(t *testing.T) {
	c := load(t, nil, "testdata/good/full.hcl")
	untouched := func(standard, full any, refused ...string) {
		t.Helper()
		a, b := reflect.ValueOf(standard), reflect.ValueOf(full)
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if !strings.Contains(strings.Join(refused, " "), name) && reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				t.Errorf("%s.%s is at its default", a.Type().Name(), name)
			}
		}
	}
	untouched(*Default(), *c)
	untouched(Default().OnEvent, c.OnEvent)
	untouched(DefaultConsul(), *c.Consul, "TokenFile")
	untouched(DefaultConsul().TLS, c.Consul.TLS)
	untouched(HTTP{Address: "127.0.0.1:8509", StapleMetrics: true}, *c.HTTP)
	untouched(ServerTLS{}, *c.HTTP.TLS)
	untouched(Default().Announce, c.Announce)
	untouched(Default().Fetch, c.Fetch)
	untouched(DefaultHAProxy(), c.Jobs[0].HAProxy[0])
}

func TestEnvironment(t *testing.T) {
	c := load(t, environ("NODE", "lb1", "ADDRESS", "10.1.1.1:8500", "TOKEN", "geheim", "COUNT", "7", "JSON", "true"), "testdata/good/environment.hcl")
	got := fmt.Sprint(c.NodeName, c.DataDir, c.LogJSON, c.Consul.Address, string(c.Consul.Token), c.Fetch.Concurrency, c.Fetch.MinDelay, c.Fetch.Responder)
	want := fmt.Sprint("lb1", "/srv/lb1", true, "10.1.1.1:8500", "geheim", 7, 7*time.Minute, []string{"http://lb1.example.com/"})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConsulVariables(t *testing.T) {
	env := environ("CONSUL_HTTP_ADDR", "consul.example:8501", "CONSUL_HTTP_SSL", "true", "CONSUL_HTTP_SSL_VERIFY", "false")
	left := load(t, env, "testdata/good/required.hcl").Consul
	if left.Address != "consul.example:8501" || !left.TLS.Enabled || left.TLS.Verify {
		t.Errorf("variables don't count: %+v", left)
	}
	set := load(t, env, "testdata/good/defaults.hcl").Consul
	if set.Address != "127.0.0.1:8500" || set.TLS.Enabled || !set.TLS.Verify {
		t.Errorf("variables count more than the file: %+v", set)
	}
}

func TestSecretIsHidden(t *testing.T) {
	c := Consul{Token: "geheim"}
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %x %q %d", c, c, c, c.Token, c.Token, c.Token, c.Token) + string(js)
	for _, leak := range []string{"geheim", "67656865696d"} {
		if strings.Contains(shown, leak) {
			t.Errorf("%s is in %s", leak, shown)
		}
	}
	if !strings.Contains(string(js), `"Token":"(hidden)"`) {
		t.Errorf("JSON: %s", js)
	}
}

// What may differ in a certificate may be said there directly, or in its fetch
// block: the same holds.
func TestFetchOfOneCertificate(t *testing.T) {
	const job = `job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
    %s
  }
}`
	const settings = "responder = [\"http://r.example.com\"]\n host = \"h.example.com\"\n trusted_responders = \"/etc/ocsp/r.pem\""
	var got []Fetch
	for _, text := range []string{settings, "fetch {\n" + settings + "\n}"} {
		cfg, err := Parse([]File{{Name: "job.hcl", Source: []byte(fmt.Sprintf(job, text))}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, cfg.Jobs[0].Certificates[0].Fetch)
	}
	if d := cmp.Diff(got[0], got[1]); d != "" {
		t.Error(d)
	}
	if got[0].Host != "h.example.com" || got[0].MinDelay != Default().Fetch.MinDelay {
		t.Errorf("%+v", got[0])
	}
}
