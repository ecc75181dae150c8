package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"postern/database"
)

// asUserRemedy is for who may not do something, and ends with what to give.
const asUserRemedy = "Run this as the bridge's user, such as with sudo -u postern. If it is the bridge's user: give it "

const keepCopy = "Keep a copy of it apart from the database: without it all enlistments are lost. It may never change."

// secretKey loads the key as the bridge does. The key is zero if it cannot be had; then the findings say why.
func (e *examination) secretKey(ctx context.Context) (database.SecretKey, []Finding) {
	source := database.SecretKeySource{Value: e.Config.SecretKey, File: e.Config.SecretKeyFile}
	if source.Value != "" {
		source.File = ""
	}
	key, err := database.LoadSecretKey(ctx, e.store.raw, source)
	if err != nil {
		return database.SecretKey{}, []Finding{e.secretFault(err)}
	}
	return key, nil
}

func (e *examination) secretFault(err error) Finding {
	const check = "secret.key"
	switch {
	case errors.Is(err, database.ErrSecretKeyMissing):
		return fault(check, "The secret key's file "+e.Config.SecretKeyFile+" is missing, and the database was made with the key that was in it.",
			"Put the file back from your copy. If it is lost: move the database away, and users have to enlist again.")
	case errors.Is(err, database.ErrSecretKeyExposed) && isFolder(e.Config.SecretKeyFile):
		return fault(check, "In the place of the secret key's file "+e.Config.SecretKeyFile+" is a folder.",
			"Remove it, and put the file back from your copy. A container makes a folder where it shall mount a file that is not there.")
	case errors.Is(err, database.ErrSecretKeyExposed):
		return fault(check, "Others can read the secret key's file "+e.Config.SecretKeyFile+", so the bridge refuses it.",
			"chmod 600 "+e.Config.SecretKeyFile)
	case errors.Is(err, database.ErrSecretKeyFormat):
		return fault(check, "The secret key is not one: it is 32 bytes, as 64 hexadecimal digits or as base64.", "Put the original back from your copy.")
	case errors.Is(err, fs.ErrPermission):
		return fault(check, "This user may not read the secret key's file "+e.Config.SecretKeyFile+".",
			asUserRemedy+"the file, with chown.")
	case errors.Is(err, fs.ErrNotExist):
		return note(check, "There is no secret key yet. The first start of the bridge makes it.", "")
	default:
		return fault(check, "The secret key cannot be read: "+causeOf(err)+".", "Make "+e.Config.SecretKeyFile+" readable for the bridge's user.")
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (e *examination) secretIsRight() Finding {
	return fine("secret.key", "The secret key is the one that the database was made with. "+keepCopy)
}

// secretWithoutDatabase looks at the key where no database tells whether it is the right one.
func (e *examination) secretWithoutDatabase() Finding {
	if e.Config.SecretKey != "" {
		return fine("secret.key", "The secret key stands in the config. "+keepCopy)
	}
	info, err := os.Stat(e.Config.SecretKeyFile)
	switch {
	case err != nil:
		return e.secretFault(err)
	case info.Mode().Perm()&0o077 != 0:
		return e.secretFault(database.ErrSecretKeyExposed)
	}
	return fine("secret.key", "There is a secret key. "+keepCopy)
}
