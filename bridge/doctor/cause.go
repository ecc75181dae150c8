package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/lib/pq"
	"github.com/mattn/go-sqlite3"

	"postern/bridge/config"
)

// causeOf says in few words why something failed. It shows no more of the error's own text than is known to be harmless, since addresses
// may hold passwords.
func causeOf(err error) string {
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in " + askTimeout.String()
	case errors.As(err, &name):
		return "the name " + name.Name + " cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused, so nothing listens there"
	case certificateCause(err) != "":
		return certificateCause(err)
	case errors.Is(err, fs.ErrPermission):
		return "this user may not do that"
	case errors.Is(err, fs.ErrNotExist):
		return "it is not there"
	case errors.As(err, &errno):
		return errno.Error()
	default:
		return "the connection failed"
	}
}

// certificateCause says what is wrong with a certificate, "" if that is not why something failed.
func certificateCause(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		other     *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired, or is not valid yet by this machine's clock"
	case errors.As(err, &hostname):
		return "the certificate is for other names"
	case errors.As(err, &authority):
		return "the certificate is not signed by a known authority, or certificates in between are not sent"
	case errors.As(err, &other), errors.As(err, &invalid):
		return "the certificate is not valid"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "no TLS is spoken there"
	}
	return ""
}

// databaseCause is causeOf for databases.
func databaseCause(err error) string {
	var postgres *pq.Error
	var sqlite sqlite3.Error
	switch {
	case errors.As(err, &postgres):
		return strings.TrimRight(postgres.Message, ".")
	case errors.As(err, &sqlite):
		return sqlite.Error()
	case errors.Is(err, errReadOnly):
		return err.Error()
	}
	return causeOf(err)
}

// databaseRemedy says what to do about a database that cannot be opened.
func databaseRemedy(kind config.DatabaseType, err error) string {
	var postgres *pq.Error
	var sqlite sqlite3.Error
	switch {
	case errors.As(err, &postgres) && postgres.Code.Class() == "28":
		return "Correct user and password in database.uri, and allow them in pg_hba.conf."
	case errors.As(err, &postgres) && postgres.Code == "3D000":
		return "Make the database (createdb --encoding=UTF8), or correct its name in database.uri."
	case errors.As(err, &postgres) && postgres.Code == "53300":
		return "Raise max_connections of PostgreSQL, or the limit of the role or the database: the bridge uses up to 16."
	case kind == config.Postgres:
		return "Start PostgreSQL, and correct the host, the port or sslmode in database.uri."
	case errors.As(err, &sqlite) && (sqlite.Code == sqlite3.ErrNotADB || sqlite.Code == sqlite3.ErrCorrupt):
		return "The file is damaged or something else. Put a backup back with `postern restore`."
	default:
		return asUserRemedy + "the file and its folder, with chown."
	}
}

// readRemedy says what to do about a database that opens and cannot be read.
func readRemedy(err error) string {
	var postgres *pq.Error
	if errors.As(err, &postgres) && postgres.Code == "42501" {
		return "Make the role in database.uri the owner of all tables, as PostgreSQL's superuser: ALTER TABLE ... OWNER TO this role."
	}
	return "Look at the bridge's log, and at the database's own. If tables are missing or damaged: put a backup back with `postern restore`."
}

// fileCause is causeOf for what was read from a file and parsed.
func fileCause(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "this user may not read it"
	}
	return "it is damaged, or something else"
}
