package consultest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// place is where a server runs.
type place struct {
	address string
	ports   ports
	// enter are words before the program's that have it run in its network namespace; none on loopback.
	enter []string
}

func (p place) serf() string { return net.JoinHostPort(p.address, strconv.Itoa(p.ports.serf)) }

func (p place) rpc() string { return net.JoinHostPort(p.address, strconv.Itoa(p.ports.server)) }

// ports of one server.
type ports struct {
	http, https, server, serf, wan int
}

// freePorts picks ports that nobody listens on now. They lie below the range from which the kernel takes the ports of
// outgoing connections, so that none of those takes a port while its server is stopped. Another process can still be
// faster: Start then tries again.
func freePorts() (ports, error) { return freePortsOn("127.0.0.1") }

// freePortsOn is freePorts for a loopback address.
func freePortsOn(address string) (ports, error) {
	taken := make(map[int]bool)
	var p ports
	for _, port := range []*int{&p.http, &p.https, &p.server, &p.serf, &p.wan} {
		n, err := freePort(address, taken)
		if err != nil {
			return ports{}, err
		}
		taken[n] = true
		*port = n
	}
	return p, nil
}

func freePort(host string, taken map[int]bool) (int, error) {
	const lowest, tries = 12000, 200
	highest := firstEphemeralPort()
	if highest <= lowest+1000 {
		highest = 60000 // the kernel takes from everywhere: no better choice
	}
	for range tries {
		n := lowest + rand.IntN(highest-lowest)
		if !taken[n] && isFree(host, n) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowest, highest)
}

// isFree tries TCP and UDP: serf needs both.
func isFree(host string, port int) bool {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return p.Close() == nil
}

// firstEphemeralPort is where the kernel's own choice begins (ip(7), ip_local_port_range).
func firstEphemeralPort() int {
	const usual = 32768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil {
		return usual
	}
	return first
}
