package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// Config says which Consul, and how patient to be with it. What is empty comes
// from Consul's environment variables (CONSUL_HTTP_ADDR and so on), then from
// Consul's defaults.
type Config struct {
	Address    string // host:port, http(s)://host:port or unix:///path
	Token      string
	TokenFile  string // wins over Token; read again when Consul refuses its token
	Datacenter string
	// Foreign says that Datacenter is not that of the Consul agent which is
	// spoken to: the lock's session belongs to one of its servers then.
	Foreign bool
	// Leads says that this agent may lead: errors for want of a right name the
	// rules of that role.
	Leads     bool
	Namespace string
	Partition string

	Path       string        // root of the keys; default "consul-ocsp/"
	SessionTTL time.Duration // default 30 s; Consul takes 10 s to 24 h
	LockDelay  time.Duration // default 5 s
	TLS        TLS

	Logger hclog.Logger
	// OnConnection, if set, is called when Consul stops answering (with the
	// error) and when it answers again; never concurrently. It must not call
	// the client.
	OnConnection func(up bool, err error)
	// OnRequest, if set, is told of each request: read, write or blocking, whether
	// Consul refused it or did not answer, and how long it took. It must not block,
	// and may be called concurrently.
	OnRequest func(kind string, failed bool, took time.Duration)
	// OnCampaign, if set, is called by Campaign with what came of each attempt
	// to lead: nil when this agent begins to, or another one does.
	OnCampaign func(err error)
	// OnOther, if set, is called by Campaign when it is another agent that leads.
	OnOther func()

	Now  func() time.Time // default time.Now
	Rand func() float64   // in [0,1), safe for concurrent use; default math/rand
	// Pause is how long to wait after a failure; default 1 to 10 s, by Rand.
	Pause func() time.Duration
	// ResyncSplay is the most by which a comparison of everything is put off
	// when all nodes are bound to make one; default 30 s, negative none.
	ResyncSplay time.Duration
	// Wait is the longest blocking query; default 60 s.
	Wait time.Duration
}

// TLS is how Consul is spoken to. The files are PEM. Enabled and SkipVerify
// alone are not taken from the environment: whoever sets them has seen that.
type TLS struct {
	Enabled    bool // an https address says so too
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
	SkipVerify bool
}

// Client speaks to one Consul agent. It is safe for concurrent use.
type Client struct {
	api    *api.Client
	base   *http.Transport
	keys   keys
	config Config
	logger hclog.Logger
	state  *connection
	token  *token
	synced synced
	// missed has a token when publications were missed: what nodes announced
	// may be gone too.
	missed chan struct{}
	// over has the ids of own sessions of former terms: few, in an agent's life.
	over sync.Map

	namespace, partition string
}

const (
	defaultWait  = 60 * time.Second
	defaultSplay = 30 * time.Second
	// grace is added to the time of each query: Consul itself adds up to a
	// sixteenth of the wait.
	grace = 10 * time.Second
	// writeTimeout is longer than servers take to elect another leader, so
	// that a write held up by that is answered, not asked about.
	writeTimeout = 30 * time.Second
)

// New makes a client. It reads the token's and the TLS files; it does not speak
// to Consul.
func New(c Config) (*Client, error) {
	c = c.withDefaults()
	conf := api.DefaultConfigWithLogger(c.Logger)
	override(&conf.Address, c.Address)
	override(&conf.Datacenter, c.Datacenter)
	override(&conf.Namespace, c.Namespace)
	override(&conf.Partition, c.Partition)
	override(&conf.TLSConfig.CAFile, c.TLS.CAFile)
	override(&conf.TLSConfig.CertFile, c.TLS.CertFile)
	override(&conf.TLSConfig.KeyFile, c.TLS.KeyFile)
	override(&conf.TLSConfig.Address, c.TLS.ServerName)
	conf.TLSConfig.InsecureSkipVerify = c.TLS.SkipVerify
	conf.Scheme = "http"
	if c.TLS.Enabled {
		conf.Scheme = "https"
	}
	tok, err := chooseToken(c, conf)
	if err != nil {
		return nil, fmt.Errorf("consul: %w", err)
	}
	base, err := newTransport(conf.Address, conf.TLSConfig)
	if err != nil {
		return nil, fmt.Errorf("consul: tls: %w", err)
	}
	state := &connection{logger: c.Logger, notify: c.OnConnection, now: c.Now}
	around := &transport{base: base, token: tok, state: state, logger: c.Logger, measure: c.OnRequest}
	around.noteAsked()
	conf.HttpClient = &http.Client{
		Transport: around,
		// Consul's KV redirects nobody; a token must not follow one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The transport has the token, and the socket where it is one. The library
	// must not read a token's file of its own: any value keeps it from that.
	conf.Token, conf.TokenFile = "from the transport", ""
	conf.Address = strings.TrimPrefix(conf.Address, "unix://")
	client, err := api.NewClient(conf)
	if err != nil {
		return nil, fmt.Errorf("consul: %w", err)
	}
	return &Client{
		api: client, base: base, keys: keys{root: c.Path, leads: c.Leads}, config: c, logger: c.Logger, state: state, token: tok,
		missed:    make(chan struct{}, 1),
		namespace: conf.Namespace, partition: conf.Partition,
	}, nil
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Path == "" {
		c.Path = "consul-ocsp/"
	}
	if c.SessionTTL <= 0 {
		c.SessionTTL = 30 * time.Second
	}
	if c.LockDelay <= 0 {
		// Left to the API client, nothing would mean 15 s.
		c.LockDelay = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Pause == nil {
		random := c.Rand
		c.Pause = func() time.Duration { return time.Second + time.Duration(random()*float64(9*time.Second)) }
	}
	if c.ResyncSplay == 0 {
		c.ResyncSplay = defaultSplay
	}
	if c.Wait <= 0 || c.Wait > defaultWait {
		c.Wait = defaultWait
	}
	return c
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// chooseToken: what is configured wins over the environment, a file over a
// token of the same origin.
func chooseToken(c Config, environment *api.Config) (*token, error) {
	if c.Token != "" || c.TokenFile != "" {
		return newToken(c.Token, c.TokenFile)
	}
	return newToken(environment.Token, environment.TokenFile)
}

// ReloadToken reads the token's file again, if there is one. An error leaves
// the token as it was.
func (c *Client) ReloadToken() error {
	_, err := c.token.reload()
	return err
}

// Close lets go of idle connections. No method may be running or called after.
func (c *Client) Close() { c.base.CloseIdleConnections() }

// NodeName is the name of the Consul agent's node. It needs agent read; without
// that right the error is a [PermissionError].
func (c *Client) NodeName(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, grace, errTimeout)
	defer cancel()
	self := map[string]map[string]any{}
	if _, err := c.api.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return "", c.denied("read", "the agent's own node name", `agent_prefix "" { policy = "read" }`, err)
	}
	name, _ := self["Config"]["NodeName"].(string)
	if name == "" {
		return "", errors.New("consul: its agent does not say its node's name")
	}
	return name, nil
}

// pause waits after a failure; it reports false when ctx ended first.
func (c *Client) pause(ctx context.Context) bool { return sleep(ctx, c.config.Pause()) }

// sleep waits for d; it reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
