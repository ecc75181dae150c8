// Package testbed exists only until the real packages import these.
package testbed

import (
	_ "github.com/mattn/go-sqlite3"
	_ "github.com/rs/zerolog"
	_ "go.mau.fi/whatsmeow"
	_ "go.mau.fi/whatsmeow/store/sqlstore"
	_ "golang.org/x/sync/errgroup"
	_ "gopkg.in/yaml.v3"
	_ "maunium.net/go/mautrix/crypto/cryptohelper"
	_ "postern/interop"
	_ "postern/interop/wire"
)
