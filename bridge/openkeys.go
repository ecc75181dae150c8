package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/database"
	"postern/provider"
)

// OpenKeys opens the store of the partner server's signing keys, while a daemon may be running on it. It makes neither a
// database nor a secret key. The caller calls closeStore at the end.
func OpenKeys(ctx context.Context, cfg *config.Config) (store provider.KeyStore, closeStore func() error, err error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return db.ProviderKeys(), raw.Close, nil
}

// openBeside opens the database that a daemon made, and may be using. The caller closes raw.
func openBeside(ctx context.Context, cfg *config.Config) (raw *dbutil.Database, db *database.Database, err error) {
	if cfg.Database.Type == config.SQLite {
		if _, err = os.Stat(cfg.Database.URI); err != nil { // opening would make it
			return nil, nil, fmt.Errorf("there is no database yet; the first start of the bridge makes it: %w", err)
		}
	}
	if raw, err = database.Open(ctx, string(cfg.Database.Type), cfg.Database.URI, zerolog.Nop()); err != nil {
		return nil, nil, err
	}
	key, err := loadSecretKey(ctx, cfg, raw, false)
	if err != nil {
		return nil, nil, errors.Join(err, raw.Close())
	}
	db = database.New(raw, key, zerolog.Nop())
	if err = db.Check(ctx); err != nil {
		return nil, nil, errors.Join(err, raw.Close())
	}
	return raw, db, nil
}

func loadSecretKey(ctx context.Context, cfg *config.Config, raw *dbutil.Database, create bool) (database.SecretKey, error) {
	source := database.SecretKeySource{Value: cfg.SecretKey, File: cfg.SecretKeyFile, Create: create}
	if source.Value != "" {
		source.File = ""
	}
	return database.LoadSecretKey(ctx, raw, source)
}
