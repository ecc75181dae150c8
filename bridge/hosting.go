package bridge

import (
	"time"

	"postern/bridge/config"
	"postern/database"
	"postern/provider"
	"postern/provider/s3store"
)

const (
	// mediaOverhead is what encryption adds to a file at most, in bytes: the padding of AES-CBC and a MAC cut to 10 bytes [W].
	mediaOverhead = 16 + 10
	// mediaKeyPurpose is what the key is derived for that hides whose a hosted file is.
	mediaKeyPurpose = "partner-server/hosted-files"
)

// setUpHosting says where and how the partner server hosts the files that users send.
func setUpHosting(options *provider.Options, cfg *config.Config, key database.SecretKey) (err error) {
	options.MediaKey = key.Derive(mediaKeyPurpose)
	options.MaxMedia = int64(cfg.Limits.FileMiB)<<20 + mediaOverhead
	options.MediaRetention = time.Duration(cfg.Public.MediaDays) * 24 * time.Hour
	options.MediaPerOwner = roomFor(cfg.Limits.MediaUserMiB)
	options.MediaInAll = roomFor(cfg.Limits.MediaTotalMiB)
	options.Media, err = openMediaStore(cfg.Public)
	return err
}

func openMediaStore(public config.Public) (provider.MediaStore, error) {
	if public.MediaStore != config.StoreS3 {
		return provider.NewDirStore(public.MediaDir)
	}
	return s3store.New(s3store.Options{
		Endpoint:  public.S3.Endpoint,
		Region:    public.S3.Region,
		Bucket:    public.S3.Bucket,
		AccessKey: public.S3.AccessKey,
		SecretKey: public.S3.SecretKey,
		Prefix:    public.S3.Prefix,
		Insecure:  public.S3.Insecure,
	})
}

// roomFor is a limit in bytes that a file of this size fits into encrypted, too; 0 stays no limit.
func roomFor(mib int) int64 {
	if mib == 0 {
		return 0
	}
	return int64(mib)<<20 + mediaOverhead
}
