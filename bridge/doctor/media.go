package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

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
		return []Finding{e.bucketFinding(ctx, check)}
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

// bucketFinding does what the bridge does with a bucket, on a small file of its own.
func (e *examination) bucketFinding(ctx context.Context, check string) Finding {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s3 := e.Config.Public.S3
	store, err := s3store.New(s3store.Options{
		Endpoint: s3.Endpoint, Region: s3.Region, Bucket: s3.Bucket, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey, Prefix: s3.Prefix, Insecure: s3.Insecure,
	})
	if err != nil {
		return fault(check, "The bucket for users' files cannot be used: "+err.Error()+".", bucketRemedy(err))
	}
	if doing, err := tryBucket(ctx, store); err != nil {
		return fault(check, fmt.Sprintf("The bucket for users' files cannot be used: %s failed, %s.", doing, err), bucketRemedy(err))
	}
	return fine(check, "Users' files can be stored in the bucket, fetched and deleted.")
}

// tryBucket stores a file, fetches it, lists and deletes it. It says what failed. A file that cannot be deleted is named like one of a user, so
// the bridge deletes it when it can.
func tryBucket(ctx context.Context, store provider.MediaStore) (doing string, err error) {
	reference := unknownReference()
	file, err := store.Create(ctx, reference)
	if err == nil {
		defer file.Abort()
		_, err = file.Write([]byte("postern doctor"))
	}
	if err == nil {
		err = file.Commit()
	}
	if err != nil {
		return "storing a file", err
	}
	defer func() {
		if removeErr := store.Remove(ctx, reference); removeErr != nil && err == nil {
			doing, err = "deleting a file", removeErr
		}
	}()
	read, err := store.Open(ctx, reference)
	if err != nil {
		return "fetching a file", err
	}
	if err = read.Close(); err != nil {
		return "fetching a file", err
	}
	one := errors.New("one is enough")
	if err = store.Each(ctx, func(provider.MediaFile) error { return one }); err != nil && !errors.Is(err, one) {
		return "listing the files", err
	}
	return "", nil
}

// bucketRemedy knows the codes of S3 servers, which are in the errors of package s3store.
func bucketRemedy(err error) string {
	says := func(codes ...string) bool {
		return slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(err.Error(), code) })
	}
	switch {
	case says("InvalidAccessKeyId", "SignatureDoesNotMatch"):
		return "Correct public.s3.access_key and public.s3.secret_key."
	case says("RequestTimeTooSkewed"):
		return "Set this machine's clock, with NTP."
	case says("NoSuchBucket"):
		return "Make the bucket, or correct public.s3.bucket. With a wrong public.s3.region some servers say so, too."
	case says("AccessDenied"):
		return "Give the key the rights for the objects and the bucket that docs/configuration.md lists."
	}
	return "Correct public.s3; docs/troubleshooting.md says what the server's codes mean."
}

// unknownReference names no file.
func unknownReference() (reference provider.MediaReference) {
	rand.Read(reference[:])
	return reference
}
