/** Time spans in words. */

/** Minutes, or seconds below one: "1.5 minutes", "30 seconds". */
export function formatMinutes(minutes: number): string {
	const isShort = minutes < 1;
	const count = isShort ? Math.round(minutes * 60) : Math.round(minutes * 10) / 10;
	const unit = isShort ? 'second' : 'minute';
	return `${count} ${count === 1 ? unit : `${unit}s`}`;
}

/** A time span in the largest unit that says it well: "12 minutes", "3 hours", "2 days". */
export function formatAge(ms: number): string {
	const hours = ms / 3_600_000;
	if (hours < 2) return formatMinutes(Math.floor(ms / 60_000));
	return hours < 48 ? `${Math.floor(hours)} hours` : `${Math.floor(hours / 24)} days`;
}
