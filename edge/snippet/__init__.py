"""The script that pages load: its source in ``page.js``, made small, filled in for a campaign."""
