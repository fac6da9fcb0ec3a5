// Time for the fault suite: hours pass in no time, in the order in which real sleepers would wake. Time moves on when
// nothing is under way any more, so what a run takes on this clock does not depend on how busy the machine is.
import { setImmediate as turn } from 'node:timers/promises';

import type { Clock } from '../../nodes/shared/n8n/clock';

/** Turns of the event loop without anything new, after which all work that needs no time has been done. */
const QUIET_TURNS = 3;
/** Real milliseconds between two checks of work under way, and how many of them without anything new mean "stuck". */
const STUCK_CHECK_MS = 50;
const STUCK_CHECKS = 8;

/** Dates in HTTP have no fractions of a second: what they mean must not depend on chance. */
const wholeSecond = () => Math.ceil(Date.now() / 1000) * 1000;

interface Sleeper {
	/** Virtual milliseconds since 1970. */
	wakesAt: number;
	/** Whose clock it sleeps on; a stopped one wakes all of its sleepers. */
	owner: object;
	wake: (finished: boolean) => void;
}

export class JumpClock {
	/** Called after each jump, before anyone wakes up, with the new time. */
	onJump: (now: number) => void = () => undefined;
	/** From this virtual time on nobody sleeps any more, as after Stop: what waits without end comes to one. */
	latest = Infinity;

	private time = wholeSecond();
	private readonly sleepers = new Set<Sleeper>();
	private underWay = 0;
	private events = 0;
	private readonly listeners: Array<() => void> = [];
	private isPumping = false;
	/** The last event before everything got stuck; time goes on without waiting for it. */
	private stuckAt = -1;
	private noise = 1;

	/** Virtual milliseconds since 1970. */
	now(): number {
		return this.time;
	}

	/** Forgets all sleepers and starts again at about the real time. */
	reset(): void {
		this.wakeAll(() => true);
		this.time = wholeSecond();
		this.latest = Infinity;
		this.noise = 1;
	}

	/** A clock as the nodes use it; `signal` wakes its sleepers, as Stop does. */
	clock(signal?: AbortSignal): Clock {
		const own = {};
		signal?.addEventListener('abort', () => this.wakeAll(({ owner }) => owner === own), {
			once: true,
		});
		return {
			now: () => this.time,
			random: () => this.random(),
			sleep: async (ms, cancel) =>
				!signal?.aborted && !cancel?.aborted && (await this.sleep(ms, own, cancel)),
			untied: () => this.clock(),
		};
	}

	/** Waits so many virtual milliseconds. False when the clock was reset, its owner was stopped, or `cancel` came. */
	async sleep(ms: number, owner: object = this, cancel?: AbortSignal): Promise<boolean> {
		if (this.time >= this.latest) return false;
		return await new Promise((resolve) => {
			const end = () => this.wakeAll((one) => one === sleeper);
			const wake = (finished: boolean) => {
				cancel?.removeEventListener('abort', end);
				resolve(finished);
			};
			const sleeper = { wakesAt: this.time + Math.max(0, ms), owner, wake };
			this.sleepers.add(sleeper);
			cancel?.addEventListener('abort', end, { once: true });
			void this.pump();
		});
	}

	/** Takes note of work that time has to wait for; gives what ends it. */
	begin(): () => void {
		this.underWay += 1;
		this.happened();
		let isOver = false;
		return () => {
			if (isOver) return;
			isOver = true;
			this.underWay -= 1;
			this.happened();
		};
	}

	/** Resolves when nothing is under way, however long that takes. */
	async idle(): Promise<void> {
		do {
			while (this.underWay > 0) {
				await new Promise<void>((resolve) => this.listeners.push(resolve));
			}
			await this.quiet();
		} while (this.underWay > 0);
	}

	/** Resolves when nothing is under way, or when what is has been stuck for a while. */
	private async quiet(): Promise<void> {
		for (let turns = 0; turns < QUIET_TURNS; ) {
			const before = this.events;
			await turn();
			if (this.events !== before) turns = 0;
			else if (this.underWay === 0 || this.stuckAt === this.events) turns += 1;
			else turns = (await this.isStuck()) ? QUIET_TURNS : 0;
		}
	}

	private happened(): void {
		this.events += 1;
		for (const tell of this.listeners.splice(0)) tell();
	}

	private async isStuck(): Promise<boolean> {
		const before = this.events;
		// Several short waits: one long one could pass while this process gets no time at all.
		for (let checks = 0; checks < STUCK_CHECKS && this.events === before; checks += 1) {
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, STUCK_CHECK_MS);
				this.listeners.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
		if (this.events !== before) return false;
		this.stuckAt = before;
		return true;
	}

	/** Wakes one sleeper after the other, each at its time. */
	private async pump(): Promise<void> {
		if (this.isPumping) return;
		this.isPumping = true;
		while (this.sleepers.size > 0) {
			await this.quiet();
			// Of two with the same time, the one that went to sleep first.
			const [next] = [...this.sleepers].sort((a, b) => a.wakesAt - b.wakesAt);
			if (!next) continue;
			this.time = Math.max(this.time, next.wakesAt);
			this.onJump(this.time);
			this.sleepers.delete(next);
			next.wake(true);
		}
		this.isPumping = false;
	}

	private wakeAll(test: (sleeper: Sleeper) => boolean): void {
		for (const sleeper of [...this.sleepers].filter(test)) {
			this.sleepers.delete(sleeper);
			sleeper.wake(false);
		}
	}

	/** The same row of numbers after each reset, from 0 up to 1. */
	private random(): number {
		this.noise = (this.noise * 48_271) % 2_147_483_647;
		return this.noise / 2_147_483_647;
	}
}
