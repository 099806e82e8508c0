using EnergyGrid.Engine.Embedded;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Engine.Tests;

/// <summary>
/// The law of <see cref="TurnScheduler"/>: one work item, queued or running, exactly while there is a turn to run.
/// Held by hand, so that every order of events can be had, and then by real threads.
/// </summary>
public sealed class TurnSchedulerTests
{
    /// <summary>A thread pool in which the test says when a work item runs.</summary>
    private sealed class ByHand : TurnScheduler
    {
        private bool _running, _another;

        public int Queued { get; private set; }
        public List<int> Ran { get; } = [];
        public int Sent { get; private set; }
        public string? Broken { get; private set; }

        // Within a work item only its last act may be to queue another: a turn after that would have two work items.
        protected override void Schedule(bool local)
        {
            Queued++;
            if (_running) _another = true;
            if (Queued > 1) Broken ??= "two work items are queued";
        }

        public void Send(int followers)
        {
            var number = Sent++;
            _ = Turn(() =>
            {
                if (_another) Broken ??= "a turn ran while another work item was queued";
                Ran.Add(number);
                for (var i = 0; i < followers; i++) Send(0);
                return Task.CompletedTask;
            });
        }

        public void RunOne()
        {
            if (Queued == 0) return;
            Queued--;
            (_running, _another) = (true, false);
            ((IThreadPoolWorkItem)this).Execute();
            _running = false;
        }
    }

    [Fact]
    public void There_is_one_work_item_while_there_is_a_turn_in_any_order_of_events()
    {
        // A positive step sends that many turns, each of which sends some more; a negative one lets a work item run.
        var steps = Gen.Frequency((2, Gen.Choose(1, 3)), (1, Gen.Choose(TurnScheduler.Budget - 2, TurnScheduler.Budget + 2)), (3, Gen.Constant(-1))).ListOf();
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(steps.ToArbitrary(), all =>
        {
            var scheduler = new ByHand();
            foreach (var step in all)
            {
                if (step < 0) scheduler.RunOne();
                else for (var i = 0; i < step; i++) scheduler.Send(followers: i % 3);
                if (scheduler.Ran.Count < scheduler.Sent && scheduler.Queued == 0) return false; // a turn is lost
            }
            while (scheduler.Queued > 0) scheduler.RunOne();
            return scheduler.Broken is null && scheduler.Ran.SequenceEqual(Enumerable.Range(0, scheduler.Sent));
        }));
    }

    [Fact]
    public void A_long_queue_lets_others_have_the_thread_and_goes_on()
    {
        var scheduler = new ByHand();
        for (var i = 0; i < 2 * TurnScheduler.Budget; i++) scheduler.Send(0);
        scheduler.RunOne();
        Assert.Equal((TurnScheduler.Budget, 1), (scheduler.Ran.Count, scheduler.Queued));
        scheduler.RunOne();
        scheduler.RunOne(); // the queue is empty: this one finds out
        Assert.Equal((2 * TurnScheduler.Budget, 0, null), (scheduler.Ran.Count, scheduler.Queued, scheduler.Broken));
    }

    private sealed class Pooled : TurnScheduler;

    [Fact]
    public async Task Real_threads_never_meet_in_a_turn_and_lose_none()
    {
        const int Senders = 8, Each = 20_000;
        var scheduler = new Pooled();
        int inside = 0, met = 0, ran = 0;
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => Task.Run(async () =>
        {
            var last = Task.CompletedTask;
            for (var i = 0; i < Each; i++)
            {
                last = scheduler.Turn(() =>
                {
                    if (Interlocked.Exchange(ref inside, 1) != 0) met++;
                    ran++; // not atomic: two turns at once would also lose one here
                    Volatile.Write(ref inside, 0);
                    return Task.CompletedTask;
                });
                if (i % 97 == 0) await last; // let the queue run dry now and then: its ends are where the faults are
            }
            await last;
        })));
        Assert.Equal((0, Senders * Each), (met, ran));
    }
}
