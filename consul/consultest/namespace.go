package consultest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// namespaces gives each agent a network namespace with an address, and joins them by a bridge that stands in one more:
// a firewall of the machine has no say there. The test's own processes reach all of them, and nothing else does.
//
// A namespace lives as long as the process that holds it, which ends with the test process, however that ends: then
// the kernel removes it with all that is in it.
type namespaces struct {
	t      testing.TB
	hub    *namespace
	subnet string // the first three numbers of its addresses
	agents []*namespace
	broken bool // nftables' rules are in force
}

// namespace is one network namespace.
type namespace struct{ holder *exec.Cmd }

// The addresses are of 198.18.0.0/15, which is for tests of networks (RFC 2544, section C.2.2) and routed nowhere.
const own = 254 // the test's own

// newNamespaces fails where this process may not make namespaces.
func newNamespaces(t testing.TB) (*namespaces, error) {
	hub, err := newNamespace(t)
	if err != nil {
		return nil, err
	}
	n := &namespaces{t: t, hub: hub}
	if err := hub.run("ip", "link", "add", "name", "bridge", "type", "bridge"); err != nil {
		return nil, err
	}
	if err := hub.run("ip", "link", "set", "dev", "bridge", "up"); err != nil {
		return nil, err
	}
	return n, n.joinTest()
}

// joinTest connects this process's own namespace. The interface's name says which network is taken: no other test has
// the same at the same time.
func (n *namespaces) joinTest() error {
	for {
		number := rand.IntN(512)
		n.subnet = fmt.Sprintf("198.%d.%d.", 18+number/256, number%256)
		name := fmt.Sprintf("consul%d", number)
		err := run(nil, "ip", "link", "add", "name", name, "type", "veth", "peer", "name", "test", "netns", n.hub.pid())
		if err != nil && strings.Contains(err.Error(), "File exists") {
			continue
		}
		return errors.Join(err,
			n.hub.run("ip", "link", "set", "dev", "test", "master", "bridge", "up"),
			run(nil, "ip", "address", "add", n.address(own)+"/24", "dev", name),
			run(nil, "ip", "link", "set", "dev", name, "up"))
	}
}

func (n *namespaces) address(host int) string { return fmt.Sprint(n.subnet, host) }

func (n *namespaces) add() (place, error) {
	agent, err := newNamespace(n.t)
	if err != nil {
		return place{}, err
	}
	n.agents = append(n.agents, agent)
	address, port := n.address(len(n.agents)), fmt.Sprint("agent", len(n.agents))
	err = errors.Join(
		n.hub.run("ip", "link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", agent.pid()),
		n.hub.run("ip", "link", "set", "dev", port, "master", "bridge", "up"),
		agent.run("ip", "link", "set", "dev", "lo", "up"),
		agent.run("ip", "address", "add", address+"/24", "dev", "eth0"),
		agent.run("ip", "link", "set", "dev", "eth0", "up"),
	)
	return place{address: address, ports: ports{http: 8500, server: 8300, serf: 8301}, enter: agent.enter()}, err
}

func (n *namespaces) cutOff(s *Server, wholly bool) error {
	from, to := "", ""
	if !wholly {
		from, to = "ip saddr != "+n.address(own), "ip daddr != "+n.address(own)
	}
	for i, agent := range n.agents {
		if n.address(i+1) == s.at.address {
			return n.filter(agent, from+" drop", to+" drop")
		}
	}
	return fmt.Errorf("no agent has the address %s", s.at.address)
}

func (n *namespaces) lose(percent int) (bool, error) {
	for _, agent := range n.agents {
		if err := n.filter(agent, fmt.Sprintf("numgen random mod 100 < %d drop", percent), ""); err != nil {
			return true, err
		}
	}
	return true, nil
}

// filter puts rules of nftables before what an agent receives and sends.
func (n *namespaces) filter(agent *namespace, in, out string) error {
	n.broken = true
	var rules strings.Builder
	rules.WriteString("table inet fault {\n")
	for _, chain := range []struct{ name, interfaces, rule string }{{"input", "iifname", in}, {"output", "oifname", out}} {
		if chain.rule == "" {
			continue
		}
		fmt.Fprintf(&rules, "chain %s {\ntype filter hook %s priority 0;\n%s eth0 %s\n}\n", chain.name, chain.name, chain.interfaces, chain.rule)
	}
	rules.WriteString("}\n")
	return agent.feed(rules.String(), "nft", "-f", "-")
}

func (n *namespaces) heal() error {
	if !n.broken {
		return nil
	}
	for _, agent := range n.agents {
		if err := agent.run("nft", "flush", "ruleset"); err != nil {
			return err
		}
	}
	n.broken = false
	return nil
}

// newNamespace starts the process that holds a namespace.
func newNamespace(t testing.TB) (*namespace, error) {
	holder := exec.Command("unshare", "--net", "sh", "-c", "echo made; exec cat")
	holder.SysProcAttr = endWithParent()
	var complaint bytes.Buffer
	holder.Stderr = &complaint
	in, err := holder.StdinPipe() // closed by Wait: the process ends
	if err != nil {
		return nil, err
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	end := func() { in.Close(); _ = holder.Wait() }
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		end()
		return nil, fmt.Errorf("unshare: %s", bytes.TrimSpace(complaint.Bytes()))
	}
	t.Cleanup(end)
	return &namespace{holder}, nil
}

func (n *namespace) pid() string { return fmt.Sprint(n.holder.Process.Pid) }

// enter are the words before a command that runs in the namespace.
func (n *namespace) enter() []string {
	return []string{"nsenter", "--net=/proc/" + n.pid() + "/ns/net", "--"}
}

func (n *namespace) run(command ...string) error { return run(nil, append(n.enter(), command...)...) }

// feed runs a command that reads input.
func (n *namespace) feed(input string, command ...string) error {
	return run(strings.NewReader(input), append(n.enter(), command...)...)
}

func run(input *strings.Reader, command ...string) error {
	cmd := exec.Command(command[0], command[1:]...)
	if input != nil {
		cmd.Stdin = input
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
