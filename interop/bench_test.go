package interop_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
	"postern/interop/memstore"
	"postern/interop/wire"
)

// idleServerEnv makes the test binary play the server of BenchmarkIdleClients, with the root's private key as its value.
const idleServerEnv = "POSTERN_INTEROP_TEST_SERVER"

func TestMain(m *testing.M) {
	if root := os.Getenv(idleServerEnv); root != "" {
		if err := serveIdle(root); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveIdle lets everybody in and answers every request, until the process is killed. It prints where it listens.
func serveIdle(rootKey string) error {
	raw, err := hex.DecodeString(rootKey)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("bad root key: %w", err)
	}
	static := wire.NewKeyPair()
	now := time.Now()
	chain, err := wire.SignCertChain(wire.KeyPairFrom([32]byte(raw)), wire.NewKeyPair(), static.Pub, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s\n", listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := wire.Accept(w, r, wire.ServerHandshake{Static: static, CertChain: chain})
		if err != nil {
			return
		}
		_ = conn.WriteNode(r.Context(), waBinary.Node{Tag: "success"})
		for {
			node, err := conn.ReadNode(r.Context())
			if err != nil {
				return
			}
			if node.Tag == "iq" {
				_ = conn.WriteNode(r.Context(), *result(node, waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": 50}}))
			}
		}
	}))
}

// BenchmarkIdleClients tells what a client costs while nothing happens: 1,000 that are logged in to a server in another
// process, without the kernel's buffers. Run it with -benchtime 1x.
func BenchmarkIdleClients(b *testing.B) {
	const count = 1000
	root := wire.NewKeyPair()
	server := exec.CommandContext(b.Context(), os.Args[0])
	server.Env = append(os.Environ(), idleServerEnv+"="+hex.EncodeToString(root.Priv[:]))
	output, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err = server.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		b.Fatal(err)
	}
	gatekeeper := &interop.Gatekeeper{ID: "bench", ChatURL: address, RootKey: root.Pub, Integrator: 7}
	stores := make([]interop.Store, count)
	accounts := make([]interop.Account, count)
	for i := range stores {
		stores[i] = memstore.New()
		accounts[i] = interop.Account{JID: types.JID{User: strconv.Itoa(1000 + i), Server: types.InteropServer, Integrator: 7}, Keys: interop.NewKeys()}
		if err = stores[i].AddSignedPreKey(b.Context(), accounts[i].Keys.SignedPreKey); err != nil {
			b.Fatal(err)
		}
	}
	before, goroutines := inUse(), runtime.NumGoroutine()
	for b.Loop() {
		handler := &connectedCounter{want: count, done: make(chan struct{})}
		clients := make([]*interop.Client, count)
		began := time.Now()
		for i := range clients {
			clients[i] = interop.NewClient(interop.Options{
				Gatekeeper: gatekeeper, Account: accounts[i], Store: stores[i], Tokens: &tokenSource{}, Handler: handler, Log: zerolog.Nop(),
			})
			clients[i].Start()
		}
		<-handler.done
		b.ReportMetric(time.Since(began).Seconds(), "s/1000-logins")
		settled(goroutines + count)
		b.ReportMetric(float64(inUse()-before)/count/1024, "KiB/client")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/count, "goroutines/client")
		for _, client := range clients {
			go func() { _ = client.Stop(context.Background()) }()
		}
		for _, client := range clients {
			_ = client.Stop(context.Background())
		}
	}
}

// settled waits until what follows the logins is done: no more goroutines than that are left.
func settled(goroutines int) {
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines+10 && time.Now().Before(deadline); {
		runtime.Gosched()
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

type connectedCounter struct {
	want int64
	seen atomic.Int64
	done chan struct{}
}

func (c *connectedCounter) HandleEvent(_ context.Context, event interop.Event) error {
	if _, ok := event.(*interop.Connected); ok && c.seen.Add(1) == c.want {
		close(c.done)
	}
	return nil
}

// resultCounter counts the fates of messages.
type resultCounter struct {
	ready chan struct{}
	once  sync.Once
	seen  atomic.Int64
	want  int64
	done  chan struct{}
}

func (c *resultCounter) HandleEvent(_ context.Context, event interop.Event) error {
	switch event := event.(type) {
	case *interop.Connected:
		c.once.Do(func() { close(c.ready) })
	case *interop.SendResult:
		if event.Err != nil {
			panic(event.Err)
		} else if c.seen.Add(1) == c.want {
			close(c.done)
		}
	case *interop.Message:
		if c.seen.Add(1) == c.want {
			close(c.done)
		}
	}
	return nil
}

func newCounter(want int) *resultCounter {
	return &resultCounter{ready: make(chan struct{}), want: int64(want), done: make(chan struct{})}
}

// BenchmarkSend is messages from Send to the stored ack, through the sandbox with its database, to one contact who is
// not connected.
func BenchmarkSend(b *testing.B) {
	s := newSandbox(b)
	s.account(bobPhone, "Bob")
	bob := s.phone(bobPhone, "Bob")
	bob.Disconnect()
	counter := newCounter(b.N)
	alice := s.enlist("alice", func(o *interop.Options) { o.Handler = counter })
	alice.Start()
	<-counter.ready
	message := text("Good morning! Are we still on for lunch at half past twelve?")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := alice.Send(b.Context(), bob.jid, interop.MessageID(alice.options.Account.JID, strconv.Itoa(i)), message, ""); err != nil {
			b.Fatal(err)
		}
	}
	<-counter.done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkReceive is messages from the wire to the receipt, without a gatekeeper: they were encrypted before.
func BenchmarkReceive(b *testing.B) {
	for _, chats := range []int{1, 8} {
		b.Run(fmt.Sprintf("Chats%d", chats), func(b *testing.B) { benchmarkReceive(b, chats) })
	}
}

func benchmarkReceive(b *testing.B, chats int) {
	server := fuzzServer()
	counter := newCounter(b.N)
	store := memstore.New()
	keys := interop.NewKeys()
	party := interop.PartyOf(aliceJID, store, keys)
	senders := make([]*interop.Party, chats)
	for i := range senders {
		senders[i] = interop.NewParty(types.NewJID(strconv.Itoa(4915100000000+i), types.DefaultUserServer), memstore.New(), 1)
	}
	stanzas := make([][]byte, b.N)
	for i := range stanzas {
		sender := senders[i%chats]
		message, _, err := sender.Encrypt(b.Context(), party, conversation("Good morning! Are we still on for lunch at half past twelve?"), 0, false)
		if err != nil {
			b.Fatal(err)
		}
		stanzas[i], err = wire.EncodeStanza(waBinary.Node{
			Tag:     "message",
			Attrs:   waBinary.Attrs{"from": sender.Address, "id": fmt.Sprint("IN", i), "t": 1_760_000_000},
			Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind}, Content: message.Data}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	client := interop.NewClient(interop.Options{
		Gatekeeper: &interop.Gatekeeper{ID: "bench", ChatURL: server.url, RootKey: server.root, Integrator: 7},
		Account:    interop.Account{JID: aliceJID, Keys: keys},
		Store:      store, Tokens: &tokenSource{}, Handler: counter, Log: zerolog.Nop(),
	})
	client.Start()
	defer func() { _ = client.Stop(context.Background()) }()
	conn := <-server.conns
	if err := conn.WriteNode(b.Context(), waBinary.Node{Tag: "success"}); err != nil {
		b.Fatal(err)
	}
	receipts := make(chan struct{}, b.N)
	go func() {
		for {
			node, err := conn.ReadNode(b.Context())
			if err != nil {
				return
			}
			switch node.Tag {
			case "receipt":
				receipts <- struct{}{}
			case "iq":
				_ = conn.WriteNode(b.Context(), *result(node, waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": 50}}))
			}
		}
	}()
	<-counter.ready
	b.ReportAllocs()
	b.ResetTimer()
	const window = 1000 // under the client's own limit
	for i, stanza := range stanzas {
		if i >= window {
			<-receipts
		}
		if err := conn.WriteStanzas(b.Context(), stanza); err != nil {
			b.Fatal(err)
		}
	}
	<-counter.done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
