package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// ErrNotLeader says that the lock is not, or no longer, this agent's: nothing
// was written.
var ErrNotLeader = errors.New("leadership is lost")

// errTimeout is the cause of a request's end that this package set a time for.
var errTimeout = errors.New("no answer in time")

// CreateSession is what a [PermissionError] says was tried by who may not lead.
const CreateSession = "create a session for"

// PermissionError says which right the token lacks.
type PermissionError struct {
	// What was tried: "read", "write" or [CreateSession].
	What string
	// Object is the key, or the node of a session.
	Object string
	// Rule is the ACL rule that gives the right, as it stands in a policy.
	Rule string
	// UnknownToken: Consul does not know the token at all.
	UnknownToken bool
}

func (e *PermissionError) Error() string {
	if e.UnknownToken {
		return fmt.Sprintf("%s %s: permission denied: consul does not know the token; one is needed with %s", e.What, e.Object, e.Rule)
	}
	return fmt.Sprintf("%s %s: permission denied: the token needs %s", e.What, e.Object, e.Rule)
}

// HeldError says that another agent leads.
type HeldError struct {
	// Leader is what it wrote of itself; zero where that is unreadable.
	Leader record.Leader
	// Session is its lock's session.
	Session string
	// Node is its node's name, as it says itself.
	Node string
}

func (e *HeldError) Error() string {
	if e.Node == "" {
		return "another agent leads (session " + e.Session + ")"
	}
	return fmt.Sprintf("the agent on node %q leads since %s", e.Node, e.Leader.Since.UTC().Format(time.RFC3339))
}

// FormatError says that newer agents lead this cluster.
type FormatError struct{ Found, Own int }

func (e *FormatError) Error() string {
	return fmt.Sprintf("the cluster's records have format %d, this agent writes format %d: it does not lead", e.Found, e.Own)
}

// NodeTakenError says that another agent goes by this node's name.
type NodeTakenError struct {
	Node     string
	Instance string // the other agent's
	Seen     time.Time
}

func (e *NodeTakenError) Error() string {
	return fmt.Sprintf("node name %q is in use by the agent with instance %s, seen at %s: set another node_name, or stop that agent and wait %s",
		e.Node, e.Instance, e.Seen.UTC().Format(time.RFC3339), nodeTaken)
}

// status is the HTTP status that err came with; 0 where there was no answer.
func status(err error) int {
	var answer api.StatusError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

// outage reports whether err leaves open what Consul did with the request: no
// answer, no leader, too many requests. Asking again can help; ctx is the
// caller's, whose end is no outage.
func outage(ctx context.Context, err error) bool {
	var denied *PermissionError
	switch code := status(err); {
	case err == nil, ctx.Err() != nil, errors.Is(err, ErrNotLeader), errors.As(err, &denied):
		return false
	case code != 0:
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
	}
	var malformed *shapeError
	return !errors.As(err, &malformed)
}

// shapeError is about what this agent was about to send, or could not make
// sense of: asking again gives the same.
type shapeError struct{ text string }

func (e *shapeError) Error() string { return e.text }

// denied is the PermissionError for err where Consul refused for want of
// rights, otherwise err with what was tried.
func (c *Client) denied(what, key, rule string, err error) error {
	if status(err) == http.StatusForbidden {
		return &PermissionError{What: what, Object: key, Rule: rule, UnknownToken: unknownToken(err.Error())}
	}
	return fmt.Errorf("%s %s: %w", what, key, err)
}

// unknownToken reports whether Consul's text says so.
func unknownToken(text string) bool { return strings.Contains(text, "ACL not found") }

// aclDenial reports whether Consul's text for one operation of a transaction
// is about rights.
func aclDenial(text string) bool {
	return strings.Contains(text, "Permission denied") || unknownToken(text)
}
