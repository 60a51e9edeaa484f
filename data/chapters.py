"""The chapters of the booklet: their words, and which picture goes with them."""

from collections.abc import Callable
from dataclasses import dataclass

import charts
import diagrams
from sheet import Box, Sheet


@dataclass(frozen=True)
class Page:
    """A page: a title, words, a picture with its caption, and words after it."""

    title: str
    before: tuple[str, ...]
    diagram: Callable[[Sheet, Box], None]
    caption: str
    after: tuple[str, ...]
    diagram_height: int = 1150


CHAPTERS = (
    Page(
        "Why lines form",
        (
            "A clerk who serves a customer in two minutes could serve thirty in an hour. Let"
            " only twenty-four come: the clerk has time to spare, and yet there is often a line."
            " Nobody did anything wrong.",
        ),
        diagrams.bank_queue,
        "The clerk is fast enough on average. The line does not live on averages.",
        (
            "Time to spare cannot be saved up. When nobody comes, the clerk's idle minutes are"
            " gone; when three come at once, two of them wait. Lines are made of chance: of"
            " arrivals that bunch, and of jobs that differ. Take away both, and a server can be"
            " busy all day without anybody waiting.",
            "This is so at a bank, on a road and in a computer, which is why one small theory"
            " serves all three.",
        ),
    ),
    Page(
        "Six words",
        (
            "The arrival rate λ is how many jobs come in a second. The service time S is how"
            " long one takes once it is begun. There are c servers. The utilisation ρ = λS/c is"
            " the share of the time that each of them is busy.",
        ),
        diagrams.one_server,
        "What a customer feels is R. What a server's owner sees is mostly S.",
        (
            "The wait Wq is the time in line, and the response time R is all of it, wait and"
            " service. People who measure S and promise R are surprised on busy days.",
            "Kendall's letters sum a system up: M/M/1 has random arrivals (M, for Markov),"
            " random service times and one server. In M/D/1 every job takes equally long. A"
            " number after them, as in M/M/4/20, is the room there is for all, waiting or served.",
        ),
    ),
    Page(
        "Little's law",
        (
            "Count those who came and those who left. The gap between the two curves, read"
            " upwards, is how many are inside; read across, it is how long each one stays. The"
            " area is the same either way, and so L = λW: the mean number inside is the arrival"
            " rate times the mean stay.",
        ),
        charts.staircase,
        "Seven customers, one server. Each hatched strip is one customer's stay.",
        (
            "If forty guests an hour come to a shop and each stays a quarter of an hour, ten are"
            " inside. Nothing was said about chance, order or the number of servers: the law"
            " holds for all of them, and for any part of a system that you draw a line around.",
            "It is also the best check of a measurement. Where the three numbers do not agree,"
            " something was not counted.",
        ),
    ),
    Page(
        "No two jobs alike",
        (
            "A mean hides much. Here are six hundred jobs. Most take less than the mean; a few"
            " take three times as long, and whoever stands behind one of those waits for it.",
        ),
        charts.histogram,
        "Six hundred service times, drawn at random. The mean lies right of the crowd.",
        (
            "Spread is told by the squared coefficient of variation: the variance divided by the"
            " square of the mean. It is 0 when all jobs are alike and 1 when they are"
            " exponential. With random arrivals at one server the mean wait grows as 1 plus that"
            " number: jobs alike halve the wait of exponential ones at the same utilisation.",
            "So one may shorten a line without a faster machine, by making the jobs more alike:"
            " pages rather than whole books.",
        ),
    ),
    Page(
        "Arrivals come in bunches",
        (
            "Twenty people come in an hour. By a timetable they would be three minutes apart."
            " Left to themselves they come when it suits them, none knowing of the others.",
        ),
        diagrams.timelines,
        "Twenty arrivals in sixty minutes: planned once, and left to chance twice.",
        (
            "Look at the gaps: on the first day nobody came for almost ten minutes, and then four"
            " within two. This is no sign of a rush. It is what independent arrivals look like,"
            " and they are named after Poisson, who described such counts in 1837.",
            "A test that sends one request every three minutes will find no line at all. It"
            " measures a world with a timetable, and the users have none.",
        ),
    ),
    Page(
        "Why ninety per cent is slow",
        (
            "With random arrivals and one server, the response time is S/(1~−~ρ) when the jobs"
            " are exponential. Half busy, it is twice the service time; at eight tenths, five"
            " times; at nine tenths, ten.",
        ),
        charts.hockey_stick,
        "Response time in units of the service time, for one server.",
        (
            "There is no point at which the curve breaks, but there is one at which the eye"
            " does. From 0.8 to 0.9 the server does an eighth more work, and its customers wait"
            " more than twice as long. At 1 the formula has no answer, for then the line grows"
            " until something else stops it: its room, or its patience.",
            "A machine that is busy all the time is no sign of thrift. It is a sign of a line.",
        ),
    ),
    Page(
        "One line or four",
        (
            "Four tills, each with a line of its own: you chose the wrong one. While you wait"
            " for a long job, the till beside you stands idle, for its line has run out.",
        ),
        diagrams.one_line_or_four,
        "Each till busy eight tenths of the time, exponential jobs, lines joined at random.",
        (
            "One line before all four never lets a server idle while somebody waits. The jobs"
            " are the same and so are the tills; the wait is less than a fifth.",
            "Choosing the shortest line comes close, if “shortest” is what it says. A choice"
            " that looks only at who waits, and not at who is being served, sends the next"
            " customer behind the longest job in the house.",
        ),
    ),
    Page(
        "Workers in boxes",
        (
            "A web server that converts documents is a bank. Requests are customers, worker"
            " threads are clerks, and processor cores are the pens: eight clerks with two pens"
            " write no faster than two.",
        ),
        diagrams.server,
        "Admission, a bounded queue, four workers. Full is an answer too.",
        (
            "Whoever takes the orders must not cook. The loop that accepts requests hands each"
            " to the queue and turns to the next; were it to convert a page itself, nobody would"
            " be greeted until it was done.",
            "More workers than cores move the wait from our line into the processor's, where"
            " nobody sees it. The jobs do not finish sooner. They all merely start.",
        ),
    ),
    Page(
        "How long a line may be",
        (
            "Every line has an end, whether it was chosen or not: memory, if nothing else. With"
            " Q places to wait, whoever comes when all are taken is turned away, at once and"
            " politely.",
        ),
        charts.refused,
        "One server, random arrivals, exponential jobs (M/M/1/K with K = Q + 1).",
        (
            "When fewer come than can be served, a few places absorb the bunches. When more come"
            " than can be served, no number of places helps: the share 1 − 1/ρ must be turned"
            " away, and a longer line only makes the others wait longer first.",
            "A queue is a cushion for chance. It adds no capacity.",
        ),
    ),
    Page(
        "Deadlines",
        (
            "A caller does not wait for ever. After a time T the answer is worth nothing: the"
            " page was closed, the train has gone. Such a job should cost nothing from then on.",
        ),
        charts.deadlines,
        "Nine jobs at once, two workers, a deadline of 3.5 S. The hatched ones are too late.",
        (
            "There are three places to look at the clock. At the door: would this job be done in"
            " time? At the head of the line: is it still wanted? And at work: has its time run"
            " out while we were busy with it? The first is the cheapest, the last the hardest,"
            " for work that has begun must be told to stop.",
            "To answer “too late” is easy. To stop working is the point.",
        ),
    ),
    Page(
        "Work for nobody",
        (
            "Now more jobs come than can be done, and each is served in the order in which it"
            " came. The line is always full, so each one waits Q·S/c before it is begun.",
        ),
        charts.cliff,
        "Four servers, a deadline of five service times, and more work than they can do.",
        (
            "While that wait and the service fit into the deadline, all work is useful. One place"
            " more, and every job is begun in good faith and finished just too late. The servers"
            " are busy all the time, and nobody gets an answer.",
            "Throwing out those whose time has passed is not enough: the next in line has a"
            " moment left, and will be late as well. Skip all that cannot be done in time, or"
            " keep the line short.",
        ),
    ),
    Page(
        "Two kinds of crowd",
        (
            "In an open system customers come from a world that does not know how we are doing."
            " In a closed one there is a fixed number of them, and each asks again only when the"
            " last answer came.",
        ),
        diagrams.loops,
        "A website is mostly open. A test with sixteen clients is closed.",
        (
            "A closed crowd is kind: when the server slows down, so do its customers. Sixteen"
            " clients can never have more than sixteen jobs inside. An open crowd keeps coming.",
            "Who measures with the one and runs with the other gets a fine report and a poor"
            " Monday. During a pause of the server the closed test sends nothing, and so it"
            " hardly notices what hundreds of customers would have felt.",
        ),
    ),
    Page(
        "Trying again",
        (
            "A call fails, so it is made again. If a share p of all attempts fails, a call with"
            " up to r retries becomes 1 + p + … + p to the power of r attempts.",
        ),
        charts.retries,
        "Attempts for each call. With half failing and three retries it is almost two.",
        (
            "Kind to one caller, cruel to the house: it has most to do when it can do least. A"
            " burst of five seconds fills the line, calls time out and return as more calls, and"
            " the line stays full long after the burst is over.",
            "Waiting a random while before the next attempt spreads the load but does not reduce"
            " it. A budget does: one retry for every ten calls, and then no more.",
        ),
    ),
    Page(
        "A table to plan by",
        (
            "The mean wait in line, in units of the service time, for c servers that share one"
            " line. Arrivals are random and jobs exponential; where jobs are all alike, take"
            " about half.",
        ),
        diagrams.wait_table,
        "Reckoned with Erlang's formula of 1917.",
        (
            "Read it by columns: at the same utilisation a large house waits far less than a"
            " small one, because somebody is nearly always about to finish. Read it by rows: no"
            " house is so large that the last few per cent come free.",
            "Servers needed grow as the load plus a margin that follows its square root. For"
            " four times the work, twice the margin is enough.",
        ),
    ),
    Page(
        "Where to read on",
        (
            "Queueing theory began at the Copenhagen telephone company. A.~K.~Erlang asked there"
            " how many trunk lines a town needs, so that few callers find them all engaged.",
        ),
        diagrams.exchange,
        "Seven subscribers on either side, four trunk lines: the fifth call is turned away.",
        (
            "A. K. Erlang, The Theory of Probabilities and Telephone Conversations, 1909.",
            "J. D. C. Little, A Proof for the Queuing Formula L = λW, 1961.",
            "J. F. C. Kingman, The Single Server Queue in Heavy Traffic, 1961.",
            "L. Kleinrock, Queueing Systems, Volume 1: Theory, 1975.",
            "M. Harchol-Balter, Performance Modeling and Design of Computer Systems, 2013.",
            "This booklet was drawn by a program. No paper was folded in the making.",
        ),
        diagram_height=900,
    ),
)
