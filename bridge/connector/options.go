package connector

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
	"postern/bridge/limits"
	"postern/bridge/metrics"
	"postern/bridge/preview"
	"postern/bridge/transcode"
	"postern/database"
	"postern/interop"
)

// Gatekeeper is one gatekeeper of the config.
type Gatekeeper struct {
	*interop.Gatekeeper
	// EEADeclaration: users have to declare to be in the EEA. EEASuspend: who withdraws that is suspended, and does not leave.
	EEADeclaration, EEASuspend bool
	// Idle is how long a user stays connected with nothing to do, if the gatekeeper is on demand; 0 is always.
	Idle time.Duration
}

// Options are what a network stands on. All parts without a remark have to be there.
type Options struct {
	Domain       string
	Gatekeepers  []*Gatekeeper
	Database     *database.Database
	Tokens       interop.TokenSource
	Matrix       *homeserver.Connector
	LoginsAtOnce int
	HTTPClient   *http.Client
	Clock        interop.Clock
	Metrics      *metrics.Metrics // nil counts nothing
	InteropLog   zerolog.Logger   // of the chat channels
	// CommandPrefix is what users write before a command in a chat.
	CommandPrefix string

	// Restored is about the copy that the database began as.
	Restored Origin
	// OnLeave says what becomes of the rooms of a user who leaves.
	OnLeave OnLeave
	// Admins are told what only they can change, in AdminRoom if there is one.
	Admins    []string
	AdminRoom string
	// AuditDays is how long the audit log keeps what it says, 0 for ever.
	AuditDays int
	// PublicURL is where gatekeepers reach the partner server.
	PublicURL string
	// PerDay are the daily limits of each user, 0 is none.
	PerDay map[limits.Kind]int64
	// TellUser sends a notice into a user's own room with the bot.
	TellUser func(ctx context.Context, user id.UserID, text string) error
	// MediaEraser is nil if hosted files go by their age alone.
	MediaEraser MediaEraser

	// MaxFile is the largest file that is carried, in bytes, and Transfers how many at the same time.
	MaxFile   int64
	Transfers int
	Media     MediaHost
	Previews  *preview.Maker
	Transcode *transcode.Tool // nil if there is no ffmpeg
}

// Origin tells of which copy a database was made, and when; zero if of none.
type Origin struct{ Made, Restored time.Time }

// OnLeave is what becomes of the rooms of a user who leaves.
type OnLeave string

const (
	// LeaveKeep: the user keeps the rooms, with a notice that the chat has ended.
	LeaveKeep OnLeave = "keep"
	// LeaveClose: the user is taken out of the rooms, too.
	LeaveClose OnLeave = "close"
)

// MediaHost is the part of the partner server that keeps encrypted files for the gatekeeper.
type MediaHost interface {
	// PutMedia stores what write writes, and returns what the gatekeeper asks for it by. If write fails, nothing stays.
	// owner is an enlistment, named by the login's id.
	PutMedia(ctx context.Context, owner string, write func(io.Writer) error) (reference string, err error)
}
