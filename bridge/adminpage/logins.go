package adminpage

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// LinkLife is how long a link logs somebody in.
	LinkLife = 5 * time.Minute
	// sessionLife is how long a session lasts, however much it is used.
	sessionLife = 12 * time.Hour
	// maxSessions is how many there are of all admins together, and maxLinks of links; the oldest ends.
	maxSessions = 64
	maxLinks    = 64

	tokenBytes = 32
	// Ten wrong links in a row are looked at, and then one every six seconds. This is about the log and the database: nobody
	// guesses 256 bits.
	wrongAtOnce = 10
	wrongEvery  = 6 * time.Second
)

// NewToken makes what a link or a session is known by, and the hash of it that is kept. It has 256 random bits.
func NewToken() (token string, hash []byte) {
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashOf(token)
}

// LinkTo is the address that logs in with a token.
func LinkTo(pageURL, token string) string {
	return strings.TrimRight(pageURL, "/") + "/login?link=" + token
}

func hashOf(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

// isToken tells what could be one, so that nothing else goes further.
func isToken(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == tokenBytes
}

// grant is a link or a session of an admin.
type grant struct {
	hash  string
	actor string
	ends  time.Time
	// csrf stands in the forms of a session.
	csrf string
}

// logins knows who may come in. It is safe for concurrent use.
type logins struct {
	now func() time.Time

	lock            sync.Mutex
	links, sessions []grant // oldest first
	wrong           *rate.Limiter
}

func newLogins(now func() time.Time) *logins {
	return &logins{now: now, wrong: rate.NewLimiter(rate.Every(wrongEvery), wrongAtOnce)}
}

// newLink ends the links that the admin had before.
func (l *logins) newLink(actor string) string {
	token, hash := NewToken()
	l.lock.Lock()
	defer l.lock.Unlock()
	var others []grant
	for _, link := range l.links {
		if link.actor != actor {
			others = append(others, link)
		}
	}
	l.links = add(others, grant{hash: string(hash), actor: actor, ends: l.now().Add(LinkLife)}, maxLinks)
	return token
}

// useLink ends a link and returns whose it was, "" if there is no such link.
func (l *logins) useLink(token string) string {
	l.lock.Lock()
	defer l.lock.Unlock()
	used, ok := l.find(&l.links, token)
	if !ok {
		return ""
	}
	l.drop(&l.links, used.hash)
	return used.actor
}

// mayTry is asked before a link that is not among ours is looked for elsewhere.
func (l *logins) mayTry() bool { return l.wrong.AllowN(l.now(), 1) }

func (l *logins) newSession(actor string) (token string) {
	token, hash := NewToken()
	csrf, _ := NewToken()
	l.lock.Lock()
	defer l.lock.Unlock()
	l.sessions = add(l.sessions, grant{hash: string(hash), actor: actor, ends: l.now().Add(sessionLife), csrf: csrf}, maxSessions)
	return token
}

func (l *logins) session(token string) (grant, bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.find(&l.sessions, token)
}

func (l *logins) endSession(token string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.drop(&l.sessions, string(hashOf(token)))
}

// find also removes what has ended. The lock must be held.
func (l *logins) find(grants *[]grant, token string) (grant, bool) {
	now, hash := l.now(), hashOf(token)
	var left []grant
	var found grant
	for _, one := range *grants {
		if !now.Before(one.ends) {
			continue
		}
		left = append(left, one)
		if subtle.ConstantTimeCompare([]byte(one.hash), hash) == 1 {
			found = one
		}
	}
	*grants = left
	return found, found.hash != ""
}

// drop wants the lock to be held.
func (l *logins) drop(grants *[]grant, hash string) {
	var left []grant
	for _, one := range *grants {
		if one.hash != hash {
			left = append(left, one)
		}
	}
	*grants = left
}

func add(grants []grant, one grant, limit int) []grant {
	grants = append(grants, one)
	return grants[max(0, len(grants)-limit):]
}
