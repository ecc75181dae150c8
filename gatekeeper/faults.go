package gatekeeper

import (
	"net"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// faults are what the control API told the gatekeeper to do wrong. The zero value does everything right. Safe for
// concurrent use.
type faults struct {
	mu sync.Mutex
	// refuseLogins logins are refused with refuseCode; only refuseAccount's, unless that is empty.
	refuseCode, refuseLogins int
	refuseAccount            types.JID
	expireTokens             bool
	// delayAcks is how long acks of messages wait; dropAcks of them are not sent at all.
	delayAcks time.Duration
	dropAcks  int
	// corrupt counts, for each receiving account, the ciphertexts that will be spoiled.
	corrupt map[types.JID]int
	outage  bool
	// media is what goes wrong with the next mediaLeft downloads of files by partners. mediaLifted is closed and replaced
	// with it.
	media       mediaFault
	mediaLeft   int
	mediaLifted chan struct{}
	// refuseEnlistments enlistments are refused with refuseReason.
	refuseReason      string
	refuseEnlistments int
	// http is what goes wrong with the next answers of some routes.
	http map[httpRoute]*routeFault
}

// refuse makes the next logins of an account fail, or of all if account is empty.
func (f *faults) refuse(account types.JID, code, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuseAccount, f.refuseCode, f.refuseLogins = account, code, times
}

// refusal returns the reason that a login is to be refused with, 0 if it is not. The integrator of the one who logs in
// is not known yet, so it does not matter.
func (f *faults) refusal(who types.JID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	meant := f.refuseAccount.IsEmpty() || f.refuseAccount.User == who.User && f.refuseAccount.Server == who.Server
	if f.refuseLogins == 0 || !meant {
		return 0
	}
	f.refuseLogins--
	return f.refuseCode
}

// refuseEnlisting makes the next enlistments fail.
func (f *faults) refuseEnlisting(reason string, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuseReason, f.refuseEnlistments = reason, times
}

// enlistRefusal returns the reason that an enlistment is to be refused with, "" if it is not.
func (f *faults) enlistRefusal() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuseEnlistments == 0 {
		return ""
	}
	f.refuseEnlistments--
	return f.refuseReason
}

func (f *faults) setExpireTokens(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireTokens = on
}

func (f *faults) tokensExpire() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.expireTokens
}

func (f *faults) setAcks(delay time.Duration, drop int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delayAcks, f.dropAcks = delay, drop
}

func (f *faults) ackDelay() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.delayAcks
}

// dropsAck tells whether to drop an ack, and counts it.
func (f *faults) dropsAck() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropAcks == 0 {
		return false
	}
	f.dropAcks--
	return true
}

// corruptNext spoils the next ciphertexts for an account's devices.
func (f *faults) corruptNext(account types.JID, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.corrupt == nil {
		f.corrupt = make(map[types.JID]int)
	}
	f.corrupt[account] = count
	if count == 0 {
		delete(f.corrupt, account)
	}
}

// spoil changes the ciphertext if that was asked for. The last byte belongs to the authentication code.
func (f *faults) spoil(receiver types.JID, enc waBinary.Node) waBinary.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.corrupt[receiver] == 0 {
		return enc
	}
	f.corrupt[receiver]--
	if f.corrupt[receiver] == 0 {
		delete(f.corrupt, receiver)
	}
	spoiled := append([]byte(nil), wire.Bytes(&enc)...)
	spoiled[len(spoiled)-1] ^= 1
	enc.Content = spoiled
	return enc
}

func (f *faults) setOutage(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outage = on
}

func (f *faults) isOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outage
}

// faultyListener closes connections at once during an outage, as if nobody listened.
type faultyListener struct {
	net.Listener
	faults *faults
}

func (l faultyListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.faults.isOut() {
			return conn, err
		}
		_ = conn.Close()
	}
}
