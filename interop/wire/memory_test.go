package wire_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/interop/wire"
)

// serverEnv makes the test binary play the server of BenchmarkIdleConnections, with the root's private key as its value.
const serverEnv = "POSTERN_WIRE_TEST_SERVER"

func TestMain(m *testing.M) {
	if root := os.Getenv(serverEnv); root != "" {
		if err := serveAlone(root); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveAlone keeps every connection until the process is killed, and prints where it listens.
func serveAlone(rootKey string) error {
	raw, err := hex.DecodeString(rootKey)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("bad root key: %w", err)
	}
	a := authority{root: wire.KeyPairFrom([32]byte(raw)), server: wire.NewKeyPair()}
	now := time.Now()
	if a.chain, err = wire.SignCertChain(a.root, wire.NewKeyPair(), a.server.Pub, now.Add(-time.Hour), now.Add(time.Hour)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s\n", listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, _, _, err := wire.Accept(w, r, wire.ServerHandshake{Static: a.server, CertChain: a.chain}); err == nil {
			_, _ = conn.ReadNode(r.Context())
		}
	}))
}

// BenchmarkIdleConnections tells what a connected client costs while nothing happens, with its reading goroutine but
// without the kernel's buffers: 1,000 connections to a server in another process. Run it with -benchtime 1x.
func BenchmarkIdleConnections(b *testing.B) {
	const connections = 1000
	root := wire.NewKeyPair()
	server := exec.CommandContext(b.Context(), os.Args[0])
	server.Env = append(os.Environ(), serverEnv+"="+hex.EncodeToString(root.Priv[:]))
	output, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err = server.Start(); err != nil {
		b.Fatal(err)
	}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	url = strings.TrimSpace(url)

	before := inUse()
	for b.Loop() {
		conns := make([]*wire.Conn, connections)
		var readers sync.WaitGroup
		for i := range conns {
			conns[i], err = wire.Dial(b.Context(), url, nil, wire.ClientHandshake{
				Static: wire.NewKeyPair(), RootKey: root.Pub, Payload: payloadOf("login"),
			})
			if err != nil {
				b.Fatal(err)
			}
			readers.Go(func() { _, _ = conns[i].ReadNode(b.Context()) })
		}
		b.ReportMetric(float64(inUse()-before)/connections/1024, "KiB/connection")
		for _, conn := range conns {
			_ = conn.Close(0)
		}
		readers.Wait()
	}
}

// inUse returns the bytes of heap and stacks in use.
func inUse() uint64 {
	var stats runtime.MemStats
	for range 2 { // twice, since pools give up their content in two steps
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}
