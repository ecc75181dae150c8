package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"postern/bridge/config"
	"postern/provider"
	"postern/provider/s3store"
)

// someFiles is how many entries of the folder are looked at to find a hosted file.
const someFiles = 64

// hostedFile finds a file that a user sent, if they are in a folder.
func (e *examination) hostedFile() (provider.MediaReference, bool) {
	if e.Config.Public.MediaStore != config.StoreDirectory {
		return provider.MediaReference{}, false
	}
	folder, err := os.Open(e.Config.Public.MediaDir)
	if err != nil {
		return provider.MediaReference{}, false
	}
	defer folder.Close()
	entries, _ := folder.ReadDir(someFiles) // what there is, also of a folder with fewer
	for _, entry := range entries {
		reference, err := provider.ParseMediaReference(entry.Name())
		if info, infoErr := entry.Info(); err == nil && infoErr == nil && info.Size() > 1 {
			return reference, true
		}
	}
	return provider.MediaReference{}, false
}

// mediaStore looks whether users' files can be stored.
func (e *examination) mediaStore(ctx context.Context) []Finding {
	const check = "media.store"
	public := e.Config.Public
	if public.MediaStore == config.StoreS3 {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		store, err := s3store.New(s3store.Options{
			Endpoint: public.S3.Endpoint, Region: public.S3.Region, Bucket: public.S3.Bucket, AccessKey: public.S3.AccessKey,
			SecretKey: public.S3.SecretKey, Prefix: public.S3.Prefix, Insecure: public.S3.Insecure,
		})
		if err == nil {
			_, err = store.Open(ctx, unknownReference()) // one that there is not
		}
		if err != nil && !errors.Is(err, provider.ErrNoMedia) {
			return []Finding{fault(check, "The bucket for users' files cannot be used: "+err.Error()+".", "Correct public.s3; docs/troubleshooting.md says what the server's codes mean.")}
		}
		return []Finding{fine(check, "The bucket for users' files answers.")}
	}
	file, err := os.CreateTemp(public.MediaDir, ".postern-doctor-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{note(check, "There is no folder for users' files yet. The first start of the bridge makes it.", "")}
	case err != nil:
		return []Finding{fault(check, "Nothing can be written to the folder for users' files (public.media_dir): "+causeOf(err)+".", "Give it to the bridge's user, with chown, and look whether the disk is full or read-only.")}
	}
	_ = file.Close()
	_ = os.Remove(file.Name())
	return []Finding{fine(check, "Users' files can be stored.")}
}

// unknownReference names no file.
func unknownReference() (reference provider.MediaReference) {
	rand.Read(reference[:])
	return reference
}
