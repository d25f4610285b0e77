# The executable's own part: has the server fork, and stands for the child it forks.
#
# `program` puts its words before this text. It is Perl, which starts in a fifth of Python's time,
# and uses no module, not even `strict`, which would cost more than the rest of it: hence the
# numbers of Linux.

# SIGQUIT sends the child SIGKILL; this process ends when the child has ended.
my %forwarded = (HUP => 1, INT => 2, TERM => 15, QUIT => 9);
my $interrupted = 4;  # EINTR
my $nobody_knows = 255;  # the exit code of a child whose server is gone

my $is_begun = 0;
my $link;
my @due;

sub forward {
    push @due, @_;
    while ($is_begun && @due) {
        syswrite $link, chr shift @due or die "the fork server is gone: $!\n";
    }
}

for my $name (keys %forwarded) {
    $SIG{$name} = sub { forward($forwarded{$name}) };
}
$SIG{PIPE} = 'IGNORE';

socket $link, 1, 1, 0 or die "no socket: $!\n";  # AF_UNIX, SOCK_STREAM
connect $link, pack 'S Z*', 1, $server or die "no fork server: $!\n";

my @argv = ($0, @ARGV);
my @environ = map { "$_=$ENV{$_}" } keys %ENV;
my @counts = (scalar @words, scalar @argv);
my $data = join "\0", readlink '/proc/self/cwd', @counts, @words, @argv, @environ;

# Standard input, output and error go along with the length (SOL_SOCKET, SCM_RIGHTS).
my $head = pack 'N', length $data;
my $piece = pack 'P J', $head, length $head;
my $rights = pack 'J i i i3 x4', 28, 1, 1, 0, 1, 2;
my $message = pack 'J J P J P J J', 0, 0, $piece, 1, $rights, length $rights, 0;
syscall($sendmsg, fileno $link, $message, 0) == length $head or die "not sent: $!\n";
for (my $at = 0; $at < length $data;) {
    my $sent = syswrite $link, $data, length $data, $at;
    defined $sent or $! == $interrupted or die "not sent: $!\n";
    $at += $sent // 0;
}
$is_begun = 1;
forward();

my ($answer, $got) = ('');
do {
    $got = sysread $link, $answer, 4;
} while !defined $got && $! == $interrupted;
my $code = $got ? unpack 'l>', $answer : $nobody_knows;
if ($code < 0) {
    $SIG{$_} = 'DEFAULT' for keys %SIG;
    kill -$code, $$;
}
exit($code & 255);
