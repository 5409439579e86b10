package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"hyper2kvm/internal/api"
	"hyper2kvm/internal/queue"
)

// serveOptions say where the server listens and who may do what.
type serveOptions struct {
	listen     string
	socket     string
	tokenFile  string
	auth       string
	allowHosts []string
	tlsCert    string
	tlsKey     string
	logFile    string
}

const (
	authToken = "token"
	authNone  = "none"
)

func newServe(con *console) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the REST API, metrics and the dashboard, beside the daemon",
		Long: `Serve the REST API, metrics and the dashboard. The server is one more client of the workflow directory: it reads the tree, puts
manifests into to_be_processed/ and requests into .hyper2kvm/control/, and runs as a user who may do that and nothing else.
docs/api.md describes the API; the server answers its contract at /api/openapi.yaml.

It listens on 127.0.0.1:8080 and on a unix socket. Over TCP every request but GET /livez needs a token of --token-file (header
Authorization: Bearer TOKEN), or the session of a browser: the link that is printed at the start logs one browser in, once, within
15 minutes. --auth=none lets everybody do everything, and only on a loopback address; beyond loopback --tls-cert and --tls-key are
needed. Who may open the socket is decided by its mode: the owner, and the group of the control directory.

The token file has a line for each token: read or full, the token (or sha256: and its SHA-256), and a name for the log. Nobody but
its owner and group may read it.

Started by a systemd socket unit, the server serves the sockets that it is given instead of --listen and --socket.`,
		Example: `  hyperctl serve
  hyperctl serve --token-file /etc/hyper2kvm/api-tokens
  hyperctl serve --auth=none --socket none
  hyperctl serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --token-file tokens --allow-host kvm1.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), con, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "TCP `address` to listen on; none = no TCP")
	f.StringVar(&o.socket, "socket", "auto", "unix socket to listen on: a `path`, auto or none; auto is api.sock in $RUNTIME_DIRECTORY, /run/hyper2kvm or $XDG_RUNTIME_DIR/hyper2kvm, the first that can be written")
	f.StringVar(&o.tokenFile, "token-file", "", "`file` with the tokens; without it only the printed link lets a browser in")
	f.Var(enum{&o.auth, []string{authToken, authNone}}, "auth", "who is let in over TCP; none is everybody, and only on a loopback address")
	f.StringSliceVar(&o.allowHosts, "allow-host", nil, "further `names`, separated by commas, under which clients reach the server; localhost and loopback addresses always work")
	f.StringVar(&o.tlsCert, "tls-cert", "", "`file` with the TLS certificate and its chain, in PEM")
	f.StringVar(&o.tlsKey, "tls-key", "", "`file` with the key of the certificate, in PEM")
	f.StringVar(&o.logFile, "log", "", "`file` to add the log to, a JSON object for each line; else text on standard error")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	complete(cmd, "auth", []string{authToken, authNone})
	o.auth = authToken
	return cmd
}

// Times of the server.
const (
	headerTime   = 10 * time.Second // for the head of a request
	idleTime     = 2 * time.Minute  // between requests on one connection
	shutdownTime = 5 * time.Second  // for the answers under way; event streams are ended at once
	maxHead      = 32 << 10         // bytes of the head of a request
)

func runServe(ctx context.Context, con *console, o serveOptions) error {
	conf, err := o.check()
	if err != nil {
		return err
	}
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	log, closeLog, err := con.serveLog(o.logFile)
	if err != nil {
		return err
	}
	defer closeLog()
	ls, err := o.listeners(con, sp, conf)
	if err != nil {
		return err
	}
	defer ls.close()
	warnTrusted(log, sp)
	server := api.New(api.Options{
		Spool: sp, User: userName(), Tokens: conf.tokens, NoAuth: o.auth == authNone, Hosts: conf.hosts, Secure: conf.tls != nil, Log: log,
		Planner: planner{con, sp}, Doctor: checker{con}, Dashboard: dashboardFiles(),
	})
	defer server.Close()
	return con.serveOn(ctx, o, server, ls, log)
}

// serveOn serves until the context ends.
func (c *console) serveOn(ctx context.Context, o serveOptions, server *api.Server, ls listeners, log *slog.Logger) error {
	h := &http.Server{
		Handler: server, ConnContext: api.ConnContext, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHead,
		DisableGeneralOptionsHandler: true, // which answers OPTIONS * to anybody
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var g errgroup.Group
	for _, l := range ls {
		log.Info("serving", "address", l.String())
		g.Go(func() error {
			err := h.Serve(l)
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return errors.Join(err, h.Close())
		})
	}
	c.sayServing(o, server, ls)
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("systemd was not told that the server is ready", "error", err)
	}
	g.Go(func() error {
		<-ctx.Done()
		server.Close() // ends the event streams
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if err := h.Shutdown(end); err != nil {
			return h.Close()
		}
		return nil
	})
	return g.Wait()
}

// sayServing tells where the server is reached, and how to get in.
func (c *console) sayServing(o serveOptions, server *api.Server, ls listeners) {
	for _, l := range ls {
		if l.Addr().Network() == "unix" {
			fmt.Fprintf(c.out, "socket     %s\n", clean(l.Addr().String()))
			continue
		}
		url := l.url() + "/web/dashboard/"
		if o.auth == authNone {
			fmt.Fprintf(c.out, "address    %s (everybody may do everything)\n", url)
			continue
		}
		fmt.Fprintf(c.out, "address    %s\n", url)
		if !l.inherited { // nobody reads what a unit prints, and a journal is no place for a way in
			fmt.Fprintf(c.out, "log in     %s#code=%s (one browser, within %d minutes)\n", url, server.LoginCode(), int(api.LoginTime.Minutes()))
		}
	}
}

// serveLog opens the log of the server.
func (c *console) serveLog(path string) (*slog.Logger, func(), error) {
	if path == "" {
		return slog.New(slog.NewTextHandler(c.err, nil)), func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, nil, &failure{exit: exitError, what: "cannot open the log", why: err.Error(), err: err}
	}
	return slog.New(slog.NewJSONHandler(f, nil)), func() { _ = f.Close() }, nil
}

// serveConfig is what the options come to.
type serveConfig struct {
	tokens api.Tokens
	hosts  []string
	tls    *tls.Config
}

// check reads the files that the options name and refuses what would not be safe.
func (o serveOptions) check() (serveConfig, error) {
	var c serveConfig
	var err error
	if o.auth == authNone && o.tokenFile != "" {
		return c, usagef("--auth=none and --token-file are given: with the one everybody gets in, with the other only who has a token")
	}
	if o.tokenFile != "" {
		if c.tokens, err = readTokens(o.tokenFile); err != nil {
			return c, err
		}
	}
	if o.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return c, &failure{exit: exitError, what: "cannot use the certificate " + o.tlsCert, why: err.Error(), err: err}
		}
		c.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	for _, name := range o.allowHosts {
		c.hosts = append(c.hosts, strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), ".")))
	}
	if o.listen == "none" {
		return c, nil
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return c, usagef("--listen %s: write an address and a port, like 127.0.0.1:8080", o.listen)
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		c.hosts = append(c.hosts, ip.String())
	}
	return c, o.checkAddress(host)
}

// checkAddress refuses an address beyond loopback that is not protected.
func (o serveOptions) checkAddress(host string) error {
	if loopback(host) {
		return nil
	}
	if o.auth == authNone {
		return &failure{exit: exitUsage, what: "--auth=none is for loopback addresses only", why: o.listen + " is reached from other machines, and everybody there could do everything",
			try: "hyperctl serve --auth=none --listen 127.0.0.1:8080"}
	}
	if o.tlsCert == "" {
		return &failure{exit: exitUsage, what: "--tls-cert and --tls-key are needed beyond loopback", why: o.listen + " is reached from other machines, and tokens would go there as they are",
			try: "hyperctl serve --tls-cert FILE --tls-key FILE, or --listen 127.0.0.1:8080 behind a proxy with TLS"}
	}
	return nil
}

// loopback says whether an address is reached from this machine only.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readTokens reads a token file that nobody else can read.
func readTokens(path string) (api.Tokens, error) {
	bad := func(err error) error {
		return &failure{exit: exitError, what: "cannot use the token file " + path, why: err.Error(), try: "hyperctl serve --help", err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, bad(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, bad(err)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return nil, &failure{exit: exitError, what: "everybody may read the token file " + path, why: fmt.Sprintf("its mode is %o", st.Mode().Perm()), try: "chmod 0640 " + quoteArg(path)}
	}
	tokens, err := api.ParseTokens(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return nil, bad(err)
	}
	return tokens, nil
}

// userName is who asks the daemon, for its log.
func userName() string {
	if u, err := user.Current(); err == nil {
		return "hyperctl serve as " + u.Username
	}
	return "hyperctl serve"
}

// warnTrusted says that manifests which come over HTTP would be trusted like the daemon's own: they may name any file.
func warnTrusted(log *slog.Logger, sp *queue.Spool) {
	if os.Geteuid() == 0 || ownerOf(sp.Dir()+"/"+queue.DirOwn) == os.Geteuid() {
		log.Warn("the server runs as root or as the daemon's own user: manifests that it submits may name any file of this machine; run it as a user of its own",
			"uid", os.Geteuid())
	}
}
