package process

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the range that systems use for outgoing connections (Linux: 32768 and up). A port that
// the kernel picks with ":0" comes from that range: it could be gone, as the source of some connection, by the time
// the child binds it, or while a killed bridge is started again.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 1000
)

var (
	portLock  sync.Mutex
	portsUsed = make(map[int]bool)
)

// ErrNoPort is returned when no port could be bound.
var ErrNoPort = errors.New("no free port found")

// FreePort returns a port of 127.0.0.1 that nobody listens on and that this process did not return before.
func FreePort() (int, error) {
	portLock.Lock()
	defer portLock.Unlock()
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if portsUsed[port] {
			continue
		}
		listener, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			continue
		}
		listener.Close()
		portsUsed[port] = true
		return port, nil
	}
	return 0, ErrNoPort
}

// Loopback is the port's address on 127.0.0.1.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
