package tcp
import ("fmt";"os")
func init(){ if os.Getenv("DBG")!="" { dbg = func(f string, a ...any){ fmt.Printf(f+"\n", a...) } } }
