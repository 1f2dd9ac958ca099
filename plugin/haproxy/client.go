package haproxy

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	defaultTimeout       = 10 * time.Second
	defaultReloadTimeout = 30 * time.Second
	defaultLockWait      = time.Minute
)

// Config says how to reach one HAProxy.
type Config struct {
	// Socket is the path of a unix socket or host:port: HAProxy's "stats
	// socket" with level admin, or the master's socket (haproxy -S). Which of
	// the two it is, is found out.
	Socket string
	// LockDir is the folder of the lock files. Every process that speaks with
	// this HAProxy must have the same. It is made if absent.
	LockDir string
	// AskOnly is for a client that changes nothing: it waits for nobody, and makes
	// no lock file.
	AskOnly bool
	// Timeout is for one command and its whole answer, and for up to 64 that are
	// sent together; 10 s if zero.
	Timeout time.Duration
	// Reload is a command with its arguments, run without a shell. If empty,
	// a reload needs the master's socket.
	Reload []string
	// ReloadTimeout is for a whole reload, until the new worker answers; 30 s if zero.
	ReloadTimeout time.Duration
	// LockWait is how long to wait while other processes hold the lock; 1 min if zero.
	LockWait time.Duration
	// Now is the clock for a response's remaining life; time.Now if nil.
	Now func() time.Time
	// Logger is told about retries and what was found out; silent if nil.
	Logger hclog.Logger
}

// Client speaks with one HAProxy. It keeps no connection open and may be used
// by several goroutines; their operations run one after the other.
type Client struct {
	config Config
	turn   chan struct{} // one token: the operation that may run, and use what is below
	master bool          // what the socket was when last asked
	last   Info          // who answered last,
	asked  time.Time     // and when
	singly Info          // a process that is given one command a connection
	names  nameIndex
	// nextPush is when the next response may be pushed.
	nextPush time.Time
}

// New returns a client. It does not connect.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.ReloadTimeout <= 0 {
		c.ReloadTimeout = defaultReloadTimeout
	}
	if c.LockWait <= 0 {
		c.LockWait = defaultLockWait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return &Client{config: c, turn: make(chan struct{}, 1)}
}

// Info is what the worker says of itself.
type Info struct {
	Version string
	Pid     int
	Started time.Time // from its uptime, so exact to a second or two
	Master  bool      // reached through the master's socket
	// Handshakes is how many TLS handshakes there were in the last second.
	Handshakes int
}

// Same says whether two answers came from one process. The process id alone
// is not enough: in a container it is the same after each restart.
func (i Info) Same(o Info) bool {
	d := i.Started.Sub(o.Started)
	return i.Pid == o.Pid && d <= 2*time.Second && d >= -2*time.Second
}

// Info asks the worker who it is. Compare with an earlier answer by Same to
// notice a reload or restart: whatever was pushed before it is gone.
func (c *Client) Info(ctx context.Context) (Info, error) {
	s, err := c.open(ctx)
	if err != nil {
		return Info{}, err
	}
	defer s.close()
	return s.info, nil
}

// session is one operation: it holds the lock from open to close.
type session struct {
	c    *Client
	lock *lockFile
	info Info
}

// infoAge is how long open believes who answered last, where whoever is there is
// asked again at the end.
const infoAge = time.Second

// reopen is open for an operation that asks at its end whether the worker is
// still the same: of many in a row only the first asks at its beginning.
func (c *Client) reopen(ctx context.Context) (*session, error) {
	lock, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, lock: lock, info: c.last}
	if c.last.Pid != 0 && time.Since(c.asked) < infoAge {
		return s, nil
	}
	if err := s.identify(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open takes the lock and finds out who answers.
func (c *Client) open(ctx context.Context) (*session, error) {
	lock, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, lock: lock}
	if err := s.identify(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	s.lock.release()
	<-s.c.turn
}

// identify asks for the worker's information directly and, should the socket
// be a master's, through it. The way that worked last time is tried first.
func (s *session) identify(ctx context.Context) error {
	c := s.c
	var said string
	c.last = Info{} // until somebody answers
	for _, master := range []bool{c.master, !c.master} {
		s.info.Master = master
		answer, err := s.ask(ctx, "show info")
		if err != nil {
			return err
		}
		info, err := parseInfo(answer, c.config.Now())
		if err != nil {
			said = firstLine(answer)
			if strings.Contains(answer, "Can't find the target PID") {
				return c.answerError("show info", answer)
			}
			continue
		}
		info.Master = master
		s.info = info
		c.master, c.last, c.asked = master, info, time.Now()
		return nil
	}
	return c.fail(KindNotHAProxy, "show info", "no HAProxy answers there, it says %q: check the socket's path", said)
}

// ask sends a command without payload to the worker.
func (s *session) ask(ctx context.Context, command string) (string, error) {
	return s.c.exchange(ctx, s.prefix()+command, command)
}

// send sends a command whose payload follows it on lines of its own. The
// payload has no empty line; name is the command without secrets or bulk.
func (s *session) send(ctx context.Context, command, payload string) (string, error) {
	return s.c.exchange(ctx, s.prefix()+command+" <<\n"+strings.TrimRight(payload, "\n")+"\n", command)
}

// prefix leads a command through the master to its current worker.
func (s *session) prefix() string {
	if s.info.Master {
		return "@1 "
	}
	return ""
}

// canShow refuses versions that cannot show the responses they hold.
func (s *session) canShow() error {
	if s.info.atLeast(2, 5) {
		return nil
	}
	return s.c.fail(KindUnsupported, "show info", "HAProxy %s cannot show which responses it holds: 2.6 or later is needed", s.info.Version)
}
