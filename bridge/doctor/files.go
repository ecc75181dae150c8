package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"postern/bridge/config"
)

// maxConfigFile bounds what is read of a file in which secrets are looked for, in bytes. Package config takes no larger one.
const maxConfigFile = 1 << 20

// files looks at who can read and change what the bridge has on the disk. It does not open the database's files: inside of the bridge,
// closing them would end the locks that SQLite has on them.
func (e *examination) files(context.Context) []Finding {
	var findings []Finding
	if e.ConfigFile != "" {
		findings = append(findings, e.configMode())
		for _, name := range []string{config.RegistrationFile, config.DoublePuppetFile} {
			path := filepath.Join(filepath.Dir(e.ConfigFile), name)
			if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
				findings = append(findings, fault("files.registration", "Everybody on this machine can read or change "+path+", which holds tokens.", "chmod 600 "+path))
			}
		}
	}
	for _, path := range e.privateFiles() {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
			mode := "600"
			if info.IsDir() {
				mode = "700"
			}
			findings = append(findings, fault("files.private", "Everybody on this machine can read or change "+path+".", "chmod "+mode+" "+path))
		}
	}
	findings = append(findings, e.ownerFindings()...)
	findings = append(findings, e.logFindings()...)
	if len(findings) == 0 || Worst(findings) == OK {
		findings = append(findings, fine("files.private", "The files of the bridge are for its user only."))
	}
	return findings
}

// privateFiles are what the bridge makes. Those that are not there are left out by who looks at them.
func (e *examination) privateFiles() (paths []string) {
	if e.Config.Database.Type == config.SQLite {
		uri := e.Config.Database.URI
		paths = append(paths, uri, uri+"-wal", uri+"-shm", uri+".lock")
	}
	if e.Config.Public.MediaStore == config.StoreDirectory {
		paths = append(paths, e.Config.Public.MediaDir)
	}
	if e.Config.Logging.File != "" {
		paths = append(paths, e.Config.Logging.File)
	}
	return paths
}

// configMode minds secrets only where there are some: they may come from the environment instead.
func (e *examination) configMode() Finding {
	const check = "files.config"
	info, err := os.Stat(e.ConfigFile)
	switch {
	case err != nil:
		return fault(check, "The config cannot be looked at: "+causeOf(err)+".", "Give it to the bridge's user.")
	case info.Mode().Perm()&0o002 != 0:
		return fault(check, "Everybody on this machine can change "+e.ConfigFile+".", "chmod 600 "+e.ConfigFile)
	case info.Mode().Perm()&0o004 != 0 && e.configHoldsSecrets(info.Size()):
		return fault(check, "Everybody on this machine can read "+e.ConfigFile+", which holds secrets.", "chmod 600 "+e.ConfigFile)
	}
	return fine(check, "The config is not open to everybody.")
}

func (e *examination) configHoldsSecrets(size int64) bool {
	text, err := os.ReadFile(e.ConfigFile)
	if err != nil || size > maxConfigFile {
		return false
	}
	secrets := []string{
		e.Config.Appservice.ASToken, e.Config.Appservice.HSToken, e.Config.DoublePuppet.ASToken, e.Config.SecretKey,
		e.Config.Provisioning.SharedSecret, e.Config.Public.S3.SecretKey,
	}
	if uri, err := url.Parse(e.Config.Database.URI); err == nil && uri.User != nil {
		password, _ := uri.User.Password()
		secrets = append(secrets, password)
	}
	for _, secret := range secrets {
		if secret != "" && bytes.Contains(text, []byte(secret)) {
			return true
		}
	}
	return false
}

// logFindings looks whether the log can be written to, without which the bridge does not start. Its folder is looked at with the disks.
func (e *examination) logFindings() []Finding {
	path := e.Config.Logging.File
	if path == "" {
		return nil
	}
	err := mayWrite(path)
	if errors.Is(err, fs.ErrNotExist) { // the bridge makes it
		err = mayWrite(filepath.Dir(path))
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []Finding{fault("files.log", "The log ("+path+") cannot be written: "+causeOf(err)+".", asUserRemedy+"the log and its folder, with chown.")}
}

// ownerFindings finds files that a command made as another user, mostly root: the bridge cannot open them then.
func (e *examination) ownerFindings() (findings []Finding) {
	paths := e.privateFiles()
	if e.Config.SecretKey == "" {
		paths = append(paths, e.Config.SecretKeyFile)
	}
	owner, first := -1, ""
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		uid, ok := e.look.owner(info)
		if !ok {
			return findings
		}
		if owner < 0 {
			owner, first = uid, path
		} else if uid != owner {
			findings = append(findings, fault("files.owner", fmt.Sprintf("%s belongs to %s, and %s to %s, so the bridge cannot use both.", path, userName(uid), first, userName(owner)),
				"Give all of them to the user that the bridge runs as, such as: chown postern "+path))
		}
	}
	if me := os.Geteuid(); owner >= 0 && owner != me && me >= 0 {
		findings = append(findings, note("files.user", fmt.Sprintf("Doctor runs as %s, and the bridge's files belong to %s, who may be able to do less, or more.", userName(me), userName(owner)),
			"Run it as "+userName(owner)+": sudo -u "+sudoName(owner)+" postern doctor"))
	}
	return findings
}

// sudoName is how sudo is told of a user.
func sudoName(uid int) string {
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return found.Username
	}
	return "'#" + strconv.Itoa(uid) + "'"
}

func userName(uid int) string {
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return found.Username
	}
	return "user " + strconv.Itoa(uid)
}
