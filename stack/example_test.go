package stack_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"slashnet/nic"
	"slashnet/stack"
)

// Two hosts on a cable; one says hello to the other.
func Example() {
	left, right, err := nic.NewPipe(nic.Options{}, nic.Options{})
	if err != nil {
		log.Fatal(err)
	}
	host := func(n nic.NIC, addr string) *stack.Stack {
		s := stack.New(stack.Config{})
		ifc, err := s.AddInterface(n)
		if err != nil {
			log.Fatal(err)
		}
		if err := ifc.Ctl("add " + addr); err != nil {
			log.Fatal(err)
		}
		return s
	}
	alice, bob := host(left, "10.0.0.1/24"), host(right, "10.0.0.2/24")
	defer alice.Close(context.Background())
	defer bob.Close(context.Background())

	listener, err := bob.Listen("tcp", ":13")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		call, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer call.Close()
		fmt.Fprintf(call, "hello, %v\n", call.RemoteAddr().(*net.TCPAddr).IP)
	}()

	conn, err := alice.Dial("tcp", "10.0.0.2:13")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	words, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(words))
	// Output: hello, 10.0.0.1
}
