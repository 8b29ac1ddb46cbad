package fs

// Mounting, and the end. cmd/slashnet calls Mount and Close.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/stack"
	"slashnet/stack/neterr"
)

// fsType is the type of the mount: updatedb and its like may prune by it.
const fsType = "fuse.slashnet"

// Options are choices about a mount. The zero value is a tree of root's that
// only root may use.
type Options struct {
	AllowOther bool       // users besides the one who mounts may use it
	Owner      stack.User // of all that is not a conversation's
	Mode       uint32     // 0600 closes the tree to all but the owner; 0: 0666
	Log        func(line string)
}

// Server is a mounted tree.
type Server struct {
	host     *stack.Host
	opts     Options
	path     string
	started  time.Time
	dev      *device
	protocol *fuse.ProtocolServer

	blocks  blockPool
	handles handles
	calls   calls
	names   names
	serials serials
	trees   trees
	notes   notifier
	bulk    bulk
	jobs    jobs

	ready     chan struct{} // closed when the kernel has been greeted
	readyOnce sync.Once
	closing   atomic.Bool
	closeOnce sync.Once
	done      chan struct{} // closed when all goroutines have ended
	err       error
}

// Mount serves the tree of a host, its views' below, at path. When it returns the tree answers. A dead
// mount of ours is cleared away first; a live one is refused.
func Mount(path string, h *stack.Host, opts Options) (*Server, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	path = resolved(path)
	if err := clearDead(path); err != nil {
		return nil, err
	}
	fd, err := mount(path, opts)
	if err != nil {
		return nil, err
	}
	srv, err := newServer(fd, h, opts)
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(path, unix.MNT_DETACH))
	}
	srv.path = path
	srv.start()
	select {
	case <-srv.ready:
		return srv, nil
	case <-srv.done:
		return nil, fmt.Errorf("%s: unmounted before it was ready", path)
	case <-time.After(greeting):
		return nil, errors.Join(fmt.Errorf("%s: the kernel did not begin within %v", path, greeting), srv.Close())
	}
}

// greeting is how long the kernel may take to say its first word.
const greeting = 5 * time.Second

// newServer makes a server on a descriptor of /dev/fuse that is mounted.
func newServer(fd int, h *stack.Host, opts Options) (*Server, error) {
	dev, err := newDevice(fd)
	if err != nil {
		return nil, err
	}
	srv := &Server{host: h, opts: opts, started: time.Now(), dev: dev, ready: make(chan struct{}), done: make(chan struct{})}
	srv.protocol = fuse.NewProtocolServer(raw{fuse.NewDefaultRawFileSystem(), srv}, &fuse.MountOptions{
		Name:               "slashnet",
		MaxWrite:           maxWrite,
		DisableXAttrs:      true, // ls -l would ask twice per file
		DisableReadDirPlus: true, // plain ls would make an inode per conversation
		Logger:             log.New(logWriter{opts.Log}, "", 0),
	})
	return srv, nil
}

// start begins to serve.
func (s *Server) start() {
	s.notes.start(s.dev)
	s.jobs.start()
	s.host.OnConvGone(s.convGone)
	s.host.OnNumber(s.trees.known)
	go s.run()
}

// run is the life of the loop, and the end of everything.
func (s *Server) run() {
	s.err = s.serve()
	if s.err != nil {
		unix.Unmount(s.path, unix.MNT_FORCE|unix.MNT_DETACH) // cuts the connection
	}
	s.closing.Store(true)
	s.host.OnConvGone(nil)
	s.host.OnNumber(nil)
	s.answerAll()
	s.jobs.stop()
	s.notes.end()
	s.dev.Close()
	if s.path != "" {
		clearDead(s.path) // if somebody cut the connection through fusectl
	}
	for _, fh := range s.handles.all() {
		s.release(fh)
	}
	close(s.done)
}

// answerAll answers everybody who waits.
func (s *Server) answerAll() {
	for _, c := range s.calls.all() {
		c.stack.Cancel(&c.op, neterr.ShuttingDown)
	}
	for _, unique := range s.jobs.underWay() {
		s.hurry(unique)
	}
}

// Done is closed when the tree is not served any more, by Close or umount.
func (s *Server) Done() <-chan struct{} { return s.done }

// Wait waits for that, and says what went wrong, if anything.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// departure is how long those who have files open are answered after the mount
// is gone, before the connection is cut.
const departure = time.Second

// Close answers all who wait, takes the mount away and ends the server. Files
// that are still open then fail.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.closing.Store(true)
		s.answerAll()
		s.notes.end()
		if s.path != "" {
			if err := unix.Unmount(s.path, 0); err == syscall.EBUSY {
				unix.Unmount(s.path, unix.MNT_DETACH)
			}
		}
		select {
		case <-s.done:
		case <-time.After(departure):
			s.dev.Close()
		}
	})
	return s.Wait()
}

// mount opens /dev/fuse and mounts it.
func mount(path string, opts Options) (fd int, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return -1, fmt.Errorf("%w: make the directory first", err)
	}
	if !st.IsDir() {
		return -1, fmt.Errorf("%s is not a directory, and a tree needs one", path)
	}
	fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("/dev/fuse: %w: is the fuse module there, and are you root?", err)
	}
	words := []string{
		fmt.Sprintf("fd=%d", fd), fmt.Sprintf("rootmode=%o", unix.S_IFDIR),
		fmt.Sprintf("user_id=%d", os.Geteuid()), fmt.Sprintf("group_id=%d", os.Getegid()),
		"default_permissions", fmt.Sprintf("max_read=%d", maxWrite),
	}
	if opts.AllowOther {
		words = append(words, "allow_other")
	}
	err = unix.Mount("slashnet", path, fsType, unix.MS_NOSUID|unix.MS_NODEV, strings.Join(words, ","))
	if err != nil {
		unix.Close(fd)
		if err == syscall.EPERM {
			return -1, fmt.Errorf("mount %s: %w: it takes root, or a user and mount namespace of one's own", path, err)
		}
		return -1, fmt.Errorf("mount %s: %w", path, err)
	}
	return fd, nil
}

// clearDead takes a mount of ours away whose daemon has died.
func clearDead(path string) error {
	for {
		ours, err := mountedHere(path)
		if err != nil || !ours {
			return err
		}
		// Not stat: the kernel may remember the root's attributes.
		var st unix.Statfs_t
		if unix.Statfs(path, &st) != unix.ENOTCONN {
			return fmt.Errorf("%s: a slashnet tree is served here already: umount it, or choose another place", path)
		}
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("%s: a dead tree is mounted here: %w", path, err)
		}
	}
}

// resolved is path as the kernel lists it: without symbolic links. Those of a dead
// mount can only be followed up to its parent.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(parent, filepath.Base(path))
	}
	return path
}

// mountedHere reports whether what is mounted on top at path is a tree of ours.
func mountedHere(path string) (bool, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	defer f.Close()
	return topMount(f, path) == fsType, nil
}

// unescape undoes what mountinfo does to blanks in paths.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// topMount is the type of the last mount at path, as proc(5) lists them.
func topMount(mountinfo io.Reader, path string) (fstype string) {
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(left)
		if !ok || len(fields) < 5 || unescape.Replace(fields[4]) != path {
			continue
		}
		fstype, _, _ = strings.Cut(right, " ")
	}
	return fstype
}

// logWriter gives go-fuse's complaints to the log.
type logWriter struct{ line func(string) }

func (w logWriter) Write(b []byte) (int, error) {
	if w.line != nil {
		w.line(strings.TrimSuffix(string(b), "\n"))
	}
	return len(b), nil
}
