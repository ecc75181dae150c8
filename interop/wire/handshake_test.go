package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/interop/wire"
)

func TestBothEndsOfAHandshakeGetTheSameKeys(t *testing.T) {
	a := newAuthority(t)
	static := wire.NewKeyPair()
	client := wire.NewInitiator(static, wire.NewKeyPair(), a.root.Pub, time.Now())
	server := wire.NewResponder(a.server, wire.NewKeyPair(), a.chain)
	hello, err := client.Hello()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Hello(hello)
	if err != nil {
		t.Fatal(err)
	}
	last, clientKeys, err := client.Finish(answer, []byte("login"))
	if err != nil {
		t.Fatal(err)
	}
	gotStatic, payload, serverKeys, err := server.Finish(last)
	if err != nil {
		t.Fatal(err)
	}
	if gotStatic != static.Pub || string(payload) != "login" || !bytes.Equal(clientKeys, serverKeys) || len(clientKeys) != 64 {
		t.Errorf("got key %x, payload %q, transport keys alike: %v", gotStatic, payload, bytes.Equal(clientKeys, serverKeys))
	}
	if bytes.Contains(last, []byte("login")) || bytes.Contains(answer, a.chain) {
		t.Error("payloads travel in the clear")
	}
}

func TestAChangedHandshakeMessageIsRefused(t *testing.T) {
	a := newAuthority(t)
	for i := range 100 {
		client := wire.NewInitiator(wire.NewKeyPair(), wire.NewKeyPair(), a.root.Pub, time.Now())
		server := wire.NewResponder(a.server, wire.NewKeyPair(), a.chain)
		hello, _ := client.Hello()
		answer, err := server.Hello(hello)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(answer)
		changed[i*len(changed)/100] ^= 0x40
		if _, _, err = client.Finish(changed, nil); !errors.Is(err, wire.ErrHandshake) && !errors.Is(err, wire.ErrUntrustedServer) {
			t.Errorf("server message changed at %d: %v", i*len(changed)/100, err)
		}
	}
}

func FuzzHandshakeAsClient(f *testing.F) {
	a := newAuthority(f)
	client := wire.NewInitiator(wire.NewKeyPair(), wire.KeyPairFrom([32]byte{1}), a.root.Pub, time.Now())
	hello, _ := client.Hello()
	answer, err := wire.NewResponder(a.server, wire.KeyPairFrom([32]byte{2}), a.chain).Hello(hello)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add(answer[:len(answer)/2])
	f.Add([]byte{0x1a, 0x00})
	f.Fuzz(func(t *testing.T, answer []byte) {
		// A fresh ephemeral key, so that not even the seeds can pass.
		client := wire.NewInitiator(wire.NewKeyPair(), wire.NewKeyPair(), a.root.Pub, time.Now())
		if _, err := client.Hello(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Finish(answer, []byte("secret")); err == nil {
			t.Fatal("forged handshake accepted")
		}
	})
}

func FuzzHandshakeAsServer(f *testing.F) {
	a := newAuthority(f)
	client := wire.NewInitiator(wire.NewKeyPair(), wire.NewKeyPair(), a.root.Pub, time.Now())
	hello, _ := client.Hello()
	f.Add(hello, []byte("\x22\x04\x0a\x00\x12\x00"))
	f.Add([]byte{}, []byte{})
	f.Add([]byte("\x12\x22\x0a\x20"+strings.Repeat("\x00", 32)), []byte{})
	f.Fuzz(func(t *testing.T, first, last []byte) {
		server := wire.NewResponder(a.server, wire.NewKeyPair(), a.chain)
		if _, err := server.Hello(first); err != nil {
			return
		}
		if _, _, _, err := server.Finish(last); err == nil {
			t.Fatal("forged handshake accepted")
		}
	})
}

func FuzzVerifyCertChain(f *testing.F) {
	a := newAuthority(f)
	f.Add(a.chain)
	f.Add([]byte("\x0a\x00\x12\x00"))
	f.Fuzz(func(t *testing.T, chain []byte) {
		err := wire.VerifyCertChain(chain, a.server.Pub, a.root.Pub, time.Now())
		if err != nil && !errors.Is(err, wire.ErrUntrustedServer) {
			t.Fatalf("unknown error %v", err)
		}
		if wire.VerifyCertChain(chain, a.server.Pub, wire.NewKeyPair().Pub, time.Now()) == nil {
			t.Fatal("chain accepted for another root")
		}
	})
}

func TestCertChain(t *testing.T) {
	root, middle, leaf := wire.NewKeyPair(), wire.NewKeyPair(), wire.NewKeyPair()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := from.AddDate(0, 1, 0)
	chain, err := wire.SignCertChain(root, middle, leaf.Pub, from, until)
	if err != nil {
		t.Fatal(err)
	}
	cut := chain[:len(chain)-1]
	for name, test := range map[string]struct {
		chain      []byte
		leaf, root [32]byte
		now        time.Time
		trusted    bool
	}{
		"valid":               {chain, leaf.Pub, root.Pub, from.Add(time.Hour), true},
		"in its first second": {chain, leaf.Pub, root.Pub, from, true},
		"in its last second":  {chain, leaf.Pub, root.Pub, until, true},
		"too early":           {chain, leaf.Pub, root.Pub, from.Add(-time.Second), false},
		"too late":            {chain, leaf.Pub, root.Pub, until.Add(time.Second), false},
		"before 1970":         {chain, leaf.Pub, root.Pub, time.Unix(-5, 0), false},
		"another root":        {chain, leaf.Pub, middle.Pub, from.Add(time.Hour), false},
		"another leaf":        {chain, middle.Pub, root.Pub, from.Add(time.Hour), false},
		"cut short":           {cut, leaf.Pub, root.Pub, from.Add(time.Hour), false},
		"empty":               {nil, leaf.Pub, root.Pub, from.Add(time.Hour), false},
		"oversized":           {append(bytes.Repeat([]byte{0x1a, 0}, 4096), chain...), leaf.Pub, root.Pub, from.Add(time.Hour), false},
	} {
		err := wire.VerifyCertChain(test.chain, test.leaf, test.root, test.now)
		if test.trusted && err != nil || !test.trusted && !errors.Is(err, wire.ErrUntrustedServer) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFramesMaySpanReadsAndShareThem(t *testing.T) {
	var stream []byte
	want := []string{"one", "", strings.Repeat("long", 20_000), "four"}
	for _, frame := range want {
		stream = wire.AppendFrame(stream, []byte(frame))
	}
	for name, reader := range map[string]io.Reader{
		"all at once":  bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"by halves":    iotest.HalfReader(bytes.NewReader(stream)),
	} {
		for i, frame := range want {
			if got, err := wire.ReadFrame(reader, wire.MaxFrame); err != nil || string(got) != frame {
				t.Errorf("%s: frame %d has %d bytes, %v", name, i, len(got), err)
			}
		}
		if _, err := wire.ReadFrame(reader, wire.MaxFrame); err != io.EOF {
			t.Errorf("%s: at the end got %v", name, err)
		}
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		want   error
	}{
		"a cut header":       {"\x00\x00", io.ErrUnexpectedEOF},
		"a cut frame":        {"\x00\x00\x05abc", io.ErrUnexpectedEOF},
		"no frame after all": {"\x00\x00\x05", io.ErrUnexpectedEOF},
		"a frame too large":  {"\xff\xff\xff", wire.ErrTooLarge},
	} {
		if _, err := wire.ReadFrame(strings.NewReader(test.stream), wire.MaxFrame); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(wire.AppendFrame(wire.AppendFrame(nil, []byte("one")), []byte("two")))
	f.Add([]byte{0, 0, 9, 1})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, pieces := bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream))
		for {
			a, errA := wire.ReadFrame(whole, 1000)
			b, errB := wire.ReadFrame(pieces, 1000)
			if !bytes.Equal(a, b) || (errA == nil) != (errB == nil) {
				t.Fatalf("split differently: %q %v, %q %v", a, errA, b, errB)
			} else if errA != nil {
				return
			}
		}
	})
}

func TestKeyPairsPrintTheirPublicHalfOnly(t *testing.T) {
	pair := wire.NewKeyPair()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		text := fmt.Sprintf(verb, struct{ Key wire.KeyPair }{pair})
		if strings.Contains(text, fmt.Sprintf("%x", pair.Priv[:4])) || strings.Contains(text, fmt.Sprintf("%d %d", pair.Priv[0], pair.Priv[1])) {
			t.Errorf("%s prints the private key", verb)
		}
	}
}
